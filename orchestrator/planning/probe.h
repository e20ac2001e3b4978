// Asks `marquee-trainer probe` how fast a run's tuning and decoding steps are here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/phase_times.h"
#include "experiments/run_config.h"
#include "experiments/run_time_model.h"

namespace marquee::orchestrator {

struct ProbeAnswer {
  std::optional<experiments::PhaseTimes> times;
  std::string machine;  // of its fingerprint
  std::string problem;  // why there are no times
};

// Starts `trainer` and waits `patience_seconds` at most; it is killed after them.
ProbeAnswer probe(const std::filesystem::path& trainer, const experiments::RunConfig& run,
                  const std::filesystem::path& assets, double patience_seconds);

struct ProbedRuns {
  experiments::RunTimeModel times{""};
  std::int64_t peak_bytes = 0;
  std::string problem;  // that ended it
};

// Probes one run of each kind among `runs`, as long as `patience_seconds` last for all together.
ProbedRuns probe_each(const std::filesystem::path& trainer,
                      const std::vector<const experiments::RunConfig*>& runs,
                      const std::filesystem::path& assets, double patience_seconds);

}  // namespace marquee::orchestrator
