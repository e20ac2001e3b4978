#include "orchestrator/scheduling/makespan.h"

#include <functional>
#include <queue>
#include <utility>

#include "cluster/error.h"
#include "orchestrator/scheduling/scheduler.h"

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
  std::vector<PlannedRun> anywhere = runs;
  for (PlannedRun& run : anywhere) run.need = {};
  Scheduler scheduler(std::move(anywhere), SlotPool::uniform(workers));
  using Running = std::pair<double, std::string>;  // its end
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running;
  Makespan result;
  while (true) {
    while (const auto next = scheduler.next(clock)) {
      result.starts[next->run_id] = clock.now;
      running.emplace(clock.now + seconds.at(next->run_id), next->run_id);
    }
    if (running.empty()) break;
    clock.now = result.seconds = running.top().first;
    scheduler.finished(running.top().second);
    running.pop();
  }
  MARQUEE_CHECK(scheduler.complete(), "a run takes more slots than there are workers");
  return result;
}

}  // namespace marquee::orchestrator
