// Words for a POSIX shell, so that nothing in them is more than text. Pure; thread safe.
#pragma once

#include <string>
#include <vector>

namespace marquee::cluster {

// The word as it is where that is safe, else in single quotes. Throws usage for a word with a NUL,
// which no shell can hold.
std::string shell_quote(const std::string& word);
// All of them with spaces between.
std::string shell_words(const std::vector<std::string>& words);

}  // namespace marquee::cluster
