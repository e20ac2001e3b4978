// Run keys whose value is one of a few words: for the check of a run, and for options and their
// completion. Thread safe.
#pragma once

#include <string>
#include <vector>

namespace marquee::experiments {

// The words, in the order of the documentation; empty for keys of numbers and of other text.
const std::vector<std::string>& key_words(const std::string& key);

}  // namespace marquee::experiments
