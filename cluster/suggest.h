// Words in messages: the nearest valid one for a mistyped one, and several in a row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace marquee::cluster {

// The valid word with the smallest edit distance (adjacent swaps count one), or "" when none is
// within max(1, length / 3).
std::string nearest_word(std::string_view word, const std::vector<std::string>& valid);

// " (did you mean 'x'?)" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& valid);

// "a, b, c".
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace marquee::cluster
