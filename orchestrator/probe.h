// Asks `marquee-trainer probe` how fast a run's tuning and decoding steps are here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "experiments/phase_times.h"
#include "experiments/run_config.h"

namespace marquee::orchestrator {

struct ProbeAnswer {
  std::optional<experiments::PhaseTimes> times;
  std::string machine;  // of its fingerprint
  std::string problem;  // why there are no times
};

// Starts `trainer` and waits `patience_seconds` at most; it is killed after them.
ProbeAnswer probe(const std::filesystem::path& trainer, const experiments::RunConfig& run,
                  const std::filesystem::path& assets, double patience_seconds);

}  // namespace marquee::orchestrator
