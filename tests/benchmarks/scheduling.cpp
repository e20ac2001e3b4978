// Decisions of the scheduler with 100,000 queued runs, every tenth a gang of 4 (Google Benchmark):
// one decision is a run chosen and, at its end, taken off. `marquee_scheduler_benchmark`.
#include <cmath>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {
namespace {

std::vector<PlannedRun> runs_of(std::size_t count, bool gangs) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::vector<PlannedRun> runs;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = std::string(52, 'a') + std::to_string(100'000'000'000 + i);
    runs.push_back(
        {id, false, std::exp(0.5 * normal(random)), i, gangs && random() % 10 == 0 ? 4 : 1});
  }
  return runs;
}

void plan(benchmark::State& state) {
  const std::vector<PlannedRun> runs = runs_of(static_cast<std::size_t>(state.range(0)), true);
  for (auto _ : state) {
    const Scheduler scheduler(runs, SlotPool::uniform(1000));
    benchmark::DoNotOptimize(scheduler.counts().total);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// All slots are busy; whenever runs end, others start in their slots.
void decide(benchmark::State& state) {
  const auto slots = static_cast<int>(state.range(0));
  const std::vector<PlannedRun> runs = runs_of(100'000, state.range(1) != 0);
  std::int64_t decisions = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Scheduler scheduler(runs, SlotPool::uniform(slots));
    std::deque<std::string> running;
    Scheduler::Clock clock{0, 1};
    state.ResumeTiming();
    while (!scheduler.complete()) {
      while (const auto next = scheduler.next(clock)) {
        running.push_back(next->run_id);
        ++decisions;
      }
      scheduler.finished(running.front());
      running.pop_front();
      clock.now += 1.0 / slots;
    }
  }
  state.SetItemsProcessed(decisions);
}

// What rank 0 does with each sign of progress before it looks at it.
void read_message(benchmark::State& state) {
  const std::string text =
      to_text(AgentMessage(RunProgress{1, std::string(64, 'a'), 1, "tune", 100, 1000, 120}));
  for (auto _ : state) benchmark::DoNotOptimize(parse_agent_message(text));
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(read_message);
BENCHMARK(plan)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK(decide)
    ->ArgNames({"slots", "gangs"})
    ->Args({64, 0})
    ->Args({1000, 0})
    ->Args({64, 1})
    ->Args({1000, 1})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
}  // namespace marquee::orchestrator

BENCHMARK_MAIN();
