// A run as the scheduler sees it. Pure; thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "orchestrator/scheduling/slot_pool.h"

namespace marquee::orchestrator {

// A run's place in the queue.
struct PlannedRun {
  std::string run_id;
  bool oracle = false;
  double cost = 0.0;         // relative expected duration, with all its slots
  std::size_t position = 0;  // in the list that it was planned from
  int slots = 1;             // of its gang
  int priority = 0;
  SlotNeed need{};
  // Hashes, 0 for none: of what its duration is estimated from (it may change, see set_estimate),
  // its base and task, the file that its training tokens lie in, and those tokens.
  std::uint64_t kind = 0;
  Loaded wants{};
  std::uint64_t token_file = 0, token_set = 0;
};

// In the order of `runs`, with expected_cost as cost.
std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs);
PlannedRun plan_run(const experiments::RunConfig& run, std::size_t position);

}  // namespace marquee::orchestrator
