// When every run would start and end: the real scheduler's order, played through with predicted
// durations. Pure function; thread safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/scheduler.h"

namespace marquee::orchestrator {

struct Makespan {
  double seconds = 0;                    // until the last run ends
  std::map<std::string, double> starts;  // of each run, seconds from now
};

// `runs`: what is left to do. `seconds`: of each of them. `workers`: at least 1; each takes the
// scheduler's next run when it is free.
Makespan makespan(const std::vector<PlannedRun>& runs, const std::map<std::string, double>& seconds,
                  int workers);

}  // namespace marquee::orchestrator
