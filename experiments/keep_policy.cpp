#include "experiments/keep_policy.h"

#include <algorithm>
#include <charconv>

#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::experiments {
namespace {

constexpr int kMostCheckpoints = 1000;

[[noreturn]] void refuse(const std::string& key, const std::string& word,
                         const std::vector<std::string>& valid, const std::string& more) {
  cluster::throw_usage("'" + key + "' is '" + word + "'" + cluster::did_you_mean(word, valid) +
                       "; expected " + cluster::join(valid, " or ") + more);
}

// The number that `word` is, or -1.
int number_in(const std::string& word) {
  int number = -1;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && rest == end && number <= kMostCheckpoints ? number : -1;
}

}  // namespace

const std::vector<std::string>& keep_keys() {
  static const std::vector<std::string> keys{"checkpoints", "samples", "attempts"};
  return keys;
}

void set_keep(KeepPolicy& policy, const std::string& key, const std::string& word) {
  if (key == "checkpoints") {
    const int number = number_in(word);
    if (word == "last") {
      policy.checkpoints = 1;
    } else if (word == "none") {
      policy.checkpoints = 0;
    } else if (word == "all") {
      policy.checkpoints = KeepPolicy::kAll;
    } else if (number >= 0) {
      policy.checkpoints = number;
    } else {
      refuse(key, word, {"last", "none", "all"},
             " or a whole number from 0 to " + std::to_string(kMostCheckpoints));
    }
  } else if (key == "samples") {
    if (word != "all" && word != "none") refuse(key, word, {"all", "none"}, "");
    policy.samples = word == "all";
  } else if (key == "attempts") {
    if (word != "all" && word != "done") refuse(key, word, {"all", "done"}, "");
    policy.failed_attempts = word == "all";
  } else {
    cluster::throw_usage("unknown key '" + key + "' in 'keep'" +
                         cluster::did_you_mean(key, keep_keys()) + "; expected one of " +
                         cluster::join(keep_keys()));
  }
}

}  // namespace marquee::experiments
