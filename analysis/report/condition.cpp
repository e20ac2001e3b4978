#include "analysis/report/condition.h"

#include <array>
#include <cctype>
#include <cstddef>
#include <string_view>

#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr std::string_view kParameterSigns = "?:@$#";

[[noreturn]] void refuse(const std::string& condition, const std::string& why) {
  cluster::throw_usage("--where \"" + condition + "\": " + why +
                       "; expected a condition over the columns of the view results, for example "
                       "task = 'dtd' AND prompt_length = 128");
}

// Place behind the quote that closes the one at `at`; npos when none does. A doubled quote stands
// for itself, but not in [brackets].
std::size_t behind_quoted(std::string_view text, std::size_t at) {
  const char close = text[at] == '[' ? ']' : text[at];
  for (std::size_t i = text.find(close, at + 1); i != std::string_view::npos;
       i = text.find(close, i + 1)) {
    if (close != ']' && i + 1 < text.size() && text[i + 1] == close) {
      ++i;
      continue;
    }
    return i + 1;
  }
  return std::string_view::npos;
}

bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || byte >= 0x80;
}

bool starts_a_statement(std::string_view word) {
  std::string lower;
  for (const char c : word) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 3> kStarts{"select", "with", "values"};
  for (const std::string_view start : kStarts) {
    if (lower == start) return true;
  }
  return false;
}

}  // namespace

void check_condition(const std::string& condition) {
  const std::string_view text = condition;
  if (text.find('\0') != std::string_view::npos) refuse("...", "holds a NUL byte");
  int depth = 0;
  bool first = true;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::string_view pair = text.substr(i, 2);
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
      continue;
    }
    if (pair == "--" || pair == "/*") refuse(condition, "comments are not allowed");
    if (c == ';') refuse(condition, "';' is not allowed");
    // `$a(...)` is one parameter to SQLite, whatever stands in its parentheses.
    if (kParameterSigns.find(c) != std::string_view::npos)
      refuse(condition, std::string("'") + c + "' is not allowed outside quotes");
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) refuse(condition, "')' without '('");
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
      i = behind_quoted(text, i);
      if (i == std::string_view::npos) refuse(condition, "a quote is not closed");
    } else if (in_word(c)) {
      const std::size_t begin = i;
      while (i < text.size() && in_word(text[i])) ++i;
      if (first && starts_a_statement(text.substr(begin, i - begin)))
        refuse(condition, "is a statement");
    } else {
      ++i;
    }
    first = false;
  }
  if (first) refuse(condition, "is empty");
  if (depth != 0) refuse(condition, "'(' without ')'");
}

}  // namespace marquee::analysis
