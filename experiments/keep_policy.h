// What stays of finished runs: the block `keep` of a sweep file, and the options of `marquee gc`.
// It changes no number and is no part of a run's id.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace marquee::experiments {

struct KeepPolicy {
  static constexpr int kAll = std::numeric_limits<int>::max();

  // Newest valid checkpoints of a finished run. (Of a run that is not done the two newest valid
  // ones stay, whatever this says.)
  int checkpoints = 1;
  bool samples = true;  // pictures (*.png) of finished runs; result.h5 has the images anyway
  bool failed_attempts = true;  // folders of a finished run's other attempts

  bool operator==(const KeepPolicy&) const = default;
};

const std::vector<std::string>& keep_keys();  // checkpoints, samples, attempts

// Sets one key from its word: checkpoints last, none, all or a number from 0 to 1000; samples all
// or none; attempts all or done. Throws usage naming key, value and what was expected.
void set_keep(KeepPolicy& policy, const std::string& key, const std::string& word);

}  // namespace marquee::experiments
