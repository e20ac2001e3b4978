#include "orchestrator/makespan.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "cluster/error.h"

namespace marquee::orchestrator {

Makespan makespan(const std::vector<PlannedRun>& runs, const std::map<std::string, double>& seconds,
                  int workers) {
  MARQUEE_CHECK(workers >= 1, "a forecast without workers");
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int i = 0; i < workers; ++i) free_at.push(0.0);
  Scheduler scheduler(runs);
  Makespan result;
  while (const auto next = scheduler.next()) {
    const double start = free_at.top();
    const double end = start + seconds.at(*next);
    free_at.pop();
    free_at.push(end);
    result.starts[*next] = start;
    result.seconds = std::max(result.seconds, end);
  }
  return result;
}

}  // namespace marquee::orchestrator
