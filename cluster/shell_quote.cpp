#include "cluster/shell_quote.h"

#include "cluster/error.h"

namespace marquee::cluster {

std::string shell_quote(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@%=";
  if (word.find('\0') != std::string::npos)
    throw_usage("a text with a zero byte cannot be handed to a shell");
  // At the start of a command '=' would make an assignment.
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos &&
      word.find('=') == std::string::npos)
    return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string shell_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + shell_quote(word);
  return text;
}

}  // namespace marquee::cluster
