// The loss of each tuning step of an attempt: its curves.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace marquee::analysis {

struct LossCurve {
  std::vector<std::int64_t> steps;  // ascending
  std::vector<double> losses;       // before the update of each
};

// Empty where nothing was trained. Throws environment, naming the file, for one that is damaged or
// larger than 16 MiB.
LossCurve read_loss_curve(const std::filesystem::path& attempt_folder);

}  // namespace marquee::analysis
