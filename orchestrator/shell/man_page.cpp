#include "orchestrator/shell/man_page.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <vector>

#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::orchestrator {
namespace {

using cluster::CommandFacts;
using cluster::OptionFacts;

// Text without what troff reads as a request, an escape or a hyphen. Other letters than ASCII's
// are written by their number; what is no UTF-8 was made visible before.
std::string roff(const std::string& text) {
  const std::string whole = cluster::printable(text, true);
  std::string result;
  bool line_start = true;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto byte = static_cast<unsigned char>(whole[i]);
    if (line_start && (byte == '.' || byte == '\'')) result += "\\&";
    line_start = byte == '\n';
    switch (byte) {
      case '\\':
        result += "\\e";
        continue;
      case '-':
        result += "\\-";
        continue;
      case '"':
        result += "\\(dq";
        continue;
      case '\'':
        result += "\\(aq";
        continue;
      case '`':
        result += "\\(ga";
        continue;
      case '^':
        result += "\\(ha";
        continue;
      case '~':
        result += "\\(ti";
        continue;
      default:
        break;
    }
    if (byte < 0x80) {
      result += whole[i];
      continue;
    }
    const int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    unsigned code = byte & (0x3fU >> more);
    for (int k = 0; k < more; ++k)
      code = code << 6 | (static_cast<unsigned char>(whole[++i]) & 0x3f);
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "\\[u%04X]", code);
    result += number.data();
  }
  return result;
}

// Paragraphs are filled; lines that begin with two spaces, examples, stay as they are.
std::string body(const std::string& text) {
  std::string result, examples, paragraph;
  const auto close = [&] {
    if (!paragraph.empty()) result += ".PP\n" + paragraph;
    if (!examples.empty()) result += ".PP\n.RS 4\n.nf\n" + examples + ".fi\n.RE\n";
    paragraph.clear();
    examples.clear();
  };
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    const bool example = line.starts_with("  ");
    if (line.empty() || (example ? !paragraph.empty() : !examples.empty())) close();
    if (line.empty()) continue;
    if (example)
      examples += roff(line.substr(2)) + "\n";
    else
      paragraph += roff(line) + "\n";
  }
  close();
  return result;
}

std::string option_text(const OptionFacts& option) {
  std::string text = ".TP\n";
  if (!option.short_name.empty()) text += "\\fB\\-" + roff(option.short_name) + "\\fR, ";
  text += "\\fB\\-\\-" + roff(option.name) + "\\fR";
  if (!option.value.empty()) text += " \\fI" + roff(option.value) + "\\fR";
  text += "\n";
  std::vector<std::string> more;
  if (option.required) more.emplace_back("required");
  if (option.repeated) more.emplace_back("may be repeated");
  // Some say it in words: 0 then means what the text says.
  if (!option.default_text.empty() && option.text.find("default") == std::string::npos)
    more.push_back("default: " + option.default_text);
  constexpr std::size_t kMostWords = 12;  // more are a list that the program has a command for
  if (!option.words.empty() && option.words.size() <= kMostWords &&
      option.value.find('|') == std::string::npos)
    more.push_back("words: " + cluster::join(option.words));
  std::string what = option.text;
  if (!more.empty()) what += (what.empty() ? "(" : " (") + cluster::join(more, "; ") + ")";
  return text + roff(what.empty() ? "(no more is said)" : what) + "\n";
}

std::string page_name(const std::string& path) {
  std::string name = path;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string page(const CommandFacts& command, const std::string& path, const std::string& above,
                 const std::string& version) {
  std::string title = page_name(path);
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  std::string text = ".\\\" Written by marquee man.\n.TH " + roff(title) + " 1 \"\" \"" +
                     roff("marquee " + version) + "\" \"User Commands\"\n.SH NAME\n" +
                     roff(page_name(path)) + " \\- " + roff(command.summary) +
                     "\n.SH SYNOPSIS\n.nf\n" +
                     roff(command.usage.empty() ? path + " [options]" : command.usage) + "\n.fi\n";
  if (!command.text.empty()) text += ".SH DESCRIPTION\n" + body(command.text).substr(4);
  if (!command.parts.empty()) text += ".SH COMMANDS\n";
  for (const CommandFacts& part : command.parts)
    text += ".TP\n\\fB" + roff(part.name) + "\\fR\n" + roff(part.summary) + "\n";
  if (!command.options.empty()) text += ".SH OPTIONS\n";
  for (const OptionFacts& option : command.options) text += option_text(option);
  text +=
      ".SH \"EXIT STATUS\"\n" +
      roff(
          "0 done, 1 some runs failed, 2 usage, 3 environment, 4 defect, 75 another coordinator "
          "holds the results folder, 124 out of time, 128 + signal after a graceful stop.") +
      "\n.SH \"SEE ALSO\"\n";
  std::vector<std::string> others;
  if (!above.empty()) others.push_back(above);
  for (const CommandFacts& part : command.parts) others.push_back(path + " " + part.name);
  for (std::size_t i = 0; i < others.size(); ++i)
    text +=
        ".BR " + roff(page_name(others[i])) + " (1)" + (i + 1 < others.size() ? "," : "") + "\n";
  return text;
}

void add_pages(std::map<std::string, std::string>& pages, const CommandFacts& command,
               const std::string& path, const std::string& above, const std::string& version) {
  pages[page_name(path)] = page(command, path, above, version);
  for (const CommandFacts& part : command.parts)
    add_pages(pages, part, path + " " + part.name, path, version);
}

}  // namespace

std::map<std::string, std::string> man_pages(const CommandFacts& commands,
                                             const std::string& version) {
  std::map<std::string, std::string> pages;
  add_pages(pages, commands, commands.name, "", version);
  return pages;
}

}  // namespace marquee::orchestrator
