// The script for fish: a line for each option of each command.
#include "cluster/suggest.h"
#include "orchestrator/shell/shell_completion.h"

namespace marquee::orchestrator {
namespace {

using cluster::CommandFacts;
using cluster::OptionFacts;

// In single quotes fish knows \\ and \' alone.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) {
    if (letter == '\\' || letter == '\'') result += '\\';
    result += letter == '\n' ? ' ' : letter;
  }
  return result + "'";
}

// How the value of an option, or an argument, is completed.
std::string value_of(const OptionFacts& option) {
  if (!option.words.empty()) return "-f -a " + quoted(cluster::join(option.words, " "));
  if (is_file(option)) return "-F";
  if (is_folder(option)) return "-f -a '(__fish_complete_directories)'";
  return "-f";
}

void add_command(std::string& text, const CommandFacts& command, const std::string& path) {
  const std::string line = "complete -c marquee -n ";
  const std::string here = "__marquee_at" + path;
  for (const CommandFacts& part : command.parts)
    text += line + quoted("__marquee_before" + path) + " -f -a " + part.name + " -d " +
            quoted(part.summary) + "\n";
  // The options of a command do not belong to its parts.
  std::string condition = here;
  for (const CommandFacts& part : command.parts) condition += "; and not " + here + " " + part.name;
  for (const OptionFacts& option : command.options) {
    text += line + quoted(condition) + " -l " + option.name;
    if (!option.short_name.empty()) text += " -s " + option.short_name;
    if (!option.value.empty()) text += " -r " + value_of(option);
    text += " -d " + quoted(option.text) + "\n";
  }
  for (const OptionFacts& operand : command.operands)
    text += line + quoted(condition) + " " + value_of(operand) + "\n";
  for (const CommandFacts& part : command.parts) add_command(text, part, path + " " + part.name);
}

constexpr const char* kHead =
    R"(# Completion of marquee in fish, written by `marquee completion fish`.

# The command line begins with these words behind the program's name.
function __marquee_at
    set -l words (commandline -opc)
    set -e words[1]
    for i in (seq (count $argv))
        test "$words[$i]" = "$argv[$i]"; or return 1
    end
end

# It consists of them.
function __marquee_before
    set -l words (commandline -opc)
    test (count $words) -eq (math 1 + (count $argv)); and __marquee_at $argv
end

complete -c marquee -f
)";

}  // namespace

std::string fish_completion(const CommandFacts& commands) {
  std::string text = kHead;
  add_command(text, commands, "");
  return text;
}

}  // namespace marquee::orchestrator
