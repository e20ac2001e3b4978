#include "orchestrator/makespan.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "cluster/error.h"

namespace marquee::orchestrator {

Makespan makespan(const std::vector<PlannedRun>& runs, const std::map<std::string, double>& seconds,
                  int workers) {
  MARQUEE_CHECK(workers >= 1, "a forecast without workers");
  double all_seconds = 0, all_cost = 0;
  for (const PlannedRun& run : runs) {
    all_seconds += seconds.at(run.run_id);
    all_cost += run.cost;
  }
  Scheduler::Clock clock{0.0, all_seconds > 0 ? all_cost / all_seconds : 0.0};
  Scheduler scheduler(runs);
  using Running = std::pair<double, std::string>;  // its end
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running;
  int free = workers;
  Makespan result;
  while (true) {
    while (const auto next = scheduler.next(free, clock)) {
      free -= scheduler.at(scheduler.place_of(*next)).slots;
      result.starts[*next] = clock.now;
      running.emplace(clock.now + seconds.at(*next), *next);
    }
    if (running.empty()) break;
    clock.now = result.seconds = running.top().first;
    free += scheduler.at(scheduler.place_of(running.top().second)).slots;
    scheduler.finished(running.top().second);
    running.pop();
  }
  MARQUEE_CHECK(scheduler.complete(), "a run takes more slots than there are workers");
  return result;
}

}  // namespace marquee::orchestrator
