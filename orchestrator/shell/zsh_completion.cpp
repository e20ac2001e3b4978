// The script for zsh: a function for each command, which hands its options to _arguments.
#include "cluster/shell_quote.h"
#include "cluster/suggest.h"
#include "orchestrator/shell/shell_completion.h"

namespace marquee::orchestrator {
namespace {

using cluster::CommandFacts;
using cluster::OptionFacts;

// Text inside a specification, where : [ ] and \ mean something.
std::string specification_text(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '\n') {
      escaped += ' ';
      continue;
    }
    if (std::string_view(":[]\\").find(letter) != std::string_view::npos) escaped += '\\';
    escaped += letter;
  }
  return escaped;
}

// ":DIR:_files -/": what a value is called, and what completes it.
std::string value_of(const OptionFacts& option) {
  std::string action = " ";
  if (!option.words.empty())
    action = "(" + cluster::join(option.words, " ") + ")";
  else if (is_file(option))
    action = "_files";
  else if (is_folder(option))
    action = "_files -/";
  const std::string name = option.words.empty() ? option.value : option.name;
  return ":" + specification_text(name) + ":" + action;
}

// Quoted whatever it holds, so that a line can be read.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? "'\\''" : std::string(1, letter);
  return result + "'";
}

void add_option(std::string& text, const OptionFacts& option) {
  const std::string names = option.short_name.empty()
                                ? "--" + option.name
                                : "-" + option.short_name + " --" + option.name;
  const std::string before = option.name == "help" ? "(- *)"
                             : option.repeated     ? "*"
                                                   : "(" + names + ")";
  const std::string after =
      "[" + specification_text(option.text) + "]" + (option.value.empty() ? "" : value_of(option));
  if (!option.short_name.empty()) {
    text += " \\\n    " +
            quoted(before + "-" + option.short_name + (option.value.empty() ? "" : "+") + after);
  }
  text +=
      " \\\n    " + quoted(before + "--" + option.name + (option.value.empty() ? "" : "=") + after);
}

void add_command(std::string& text, const CommandFacts& command, const std::string& function) {
  for (const CommandFacts& part : command.parts)
    add_command(text, part, function + "_" + part.name);
  text += function + "() {\n";
  if (!command.parts.empty()) {
    text += "  if (( CURRENT > 2 )); then\n    case $words[2] in\n";
    for (const CommandFacts& part : command.parts)
      text += "      " + part.name + ") shift words; (( CURRENT-- )); " + function + "_" +
              part.name + "; return ;;\n";
    text += "    esac\n  fi\n  local -a parts=(";
    for (const CommandFacts& part : command.parts)
      text += "\n    " + quoted(part.name + ":" + specification_text(part.summary));
    text += ")\n  (( CURRENT != 2 )) || _describe -t commands command parts\n";
  }
  text += "  _arguments -s -S";
  for (const OptionFacts& option : command.options) add_option(text, option);
  for (const OptionFacts& operand : command.operands)
    text += " \\\n    " + quoted((operand.repeated ? "*" : "") + value_of(operand));
  text += "\n}\n\n";
}

}  // namespace

std::string zsh_completion(const CommandFacts& commands) {
  std::string text =
      "#compdef marquee\n# Completion of marquee in zsh, written by `marquee completion zsh`.\n\n";
  add_command(text, commands, "_marquee");
  return text +
         "if [[ $funcstack[1] == _marquee ]]; then\n  _marquee \"$@\"\nelse\n  compdef _marquee "
         "marquee\nfi\n";
}

}  // namespace marquee::orchestrator
