// Asks `marquee-trainer probe` how fast a run's tuning and decoding steps are here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "experiments/run_time_model.h"

namespace marquee::orchestrator {

struct ProbedRuns {
  experiments::RunTimeModel times{""};
  std::int64_t peak_bytes = 0;
  std::string problem;  // that ended it
};

// Starts `trainer` for one run of each kind among `runs`, as long as `patience_seconds` last for
// all together; it is killed after them.
ProbedRuns probe_each(const std::filesystem::path& trainer,
                      const std::vector<const experiments::RunConfig*>& runs,
                      const std::filesystem::path& assets, double patience_seconds);

}  // namespace marquee::orchestrator
