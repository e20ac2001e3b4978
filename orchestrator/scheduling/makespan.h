// When every run would start and end: the real scheduler's order, played through with predicted
// durations. Pure function; thread safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/scheduling/planned_run.h"

namespace marquee::orchestrator {

struct Makespan {
  double seconds = 0;                    // until the last run ends
  std::map<std::string, double> starts;  // of each run, seconds from now
};

// `runs`: what is left to do, wherever it asks to be done. `seconds`: how long each of them really
// takes, whatever its cost promises. `workers`: at least 1, and as many as the largest gang.
Makespan makespan(const std::vector<PlannedRun>& runs, const std::map<std::string, double>& seconds,
                  int workers);

}  // namespace marquee::orchestrator
