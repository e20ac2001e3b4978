#include "orchestrator/scheduling/makespan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

const std::map<std::string, double> kSeconds{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 3}, {"e", 3}};

std::vector<PlannedRun> runs_of(const std::map<std::string, double>& seconds) {
  std::vector<PlannedRun> runs;
  for (const auto& [name, duration] : seconds) runs.push_back({name, false, duration});
  return runs;
}

TEST(Makespan, IsTheSumWithOneWorker) {
  EXPECT_DOUBLE_EQ(makespan(runs_of(kSeconds), kSeconds, 1).seconds, 18);
}

TEST(Makespan, GivesTheLongestFirstToWhoeverIsFree) {
  // 5 and 4 start; c at 4, d at 5, e at 7: the end is 10.
  const Makespan two = makespan(runs_of(kSeconds), kSeconds, 2);
  EXPECT_DOUBLE_EQ(two.seconds, 10);
  EXPECT_DOUBLE_EQ(two.starts.at("a"), 0);
  EXPECT_DOUBLE_EQ(two.starts.at("c"), 4);
  EXPECT_DOUBLE_EQ(two.starts.at("d"), 5);
  EXPECT_DOUBLE_EQ(two.starts.at("e"), 7);
}

TEST(Makespan, IsTheLongestRunWithWorkersToSpare) {
  EXPECT_DOUBLE_EQ(makespan(runs_of(kSeconds), kSeconds, 50).seconds, 5);
}

TEST(Makespan, StartsOraclesFirstAsTheSchedulerDoes) {
  std::vector<PlannedRun> runs = runs_of({{"long", 10.0}});
  runs.push_back({"oracle", true, 1.0});
  EXPECT_DOUBLE_EQ(makespan(runs, {{"long", 10}, {"oracle", 1}}, 1).starts.at("long"), 1);
}

TEST(Makespan, OfNothingIsZero) {
  EXPECT_DOUBLE_EQ(makespan({}, {}, 3).seconds, 0);
}

TEST(Makespan, OfAGangCountsItsSlots) {
  std::vector<PlannedRun> runs{
      {"gang", false, 4, 0, 2}, {"a", false, 3, 1, 1}, {"b", false, 3, 2, 1}};
  const std::map<std::string, double> seconds{{"gang", 4}, {"a", 3}, {"b", 3}};
  EXPECT_DOUBLE_EQ(makespan(runs, seconds, 2).seconds, 7);
  EXPECT_DOUBLE_EQ(makespan(runs, seconds, 4).seconds, 4);
  EXPECT_THROW(makespan(runs, seconds, 1), cluster::Error);
}

// The sweep of 19 tasks x 5 shots x 4 methods x 5 seeds on 64 slots: durations log-normal
// (sigma 0.5), estimates 20 % off, every tenth run a gang of 4.
TEST(Makespan, OfALargeSweepIsNearTheLeastThatIsPossible) {
  constexpr int kRuns = 19 * 5 * 4 * 5, kSlots = 64;
  for (unsigned seed = 0; seed < 5; ++seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::vector<PlannedRun> runs;
    std::map<std::string, double> seconds;
    double work = 0, longest = 0;
    for (int i = 0; i < kRuns; ++i) {
      const double duration = std::exp(0.5 * normal(random));
      const int slots = random() % 10 == 0 ? 4 : 1;
      const std::string id = std::to_string(i);
      runs.push_back({id, false, duration * std::exp(0.2 * normal(random)),
                      static_cast<std::size_t>(i), slots});
      seconds[id] = duration;
      work += duration * slots;
      longest = std::max(longest, duration);
    }
    const double least = std::max(work / kSlots, longest);
    const auto over_least = [&] { return makespan(runs, seconds, kSlots).seconds / least; };
    const double ours = over_least();
    // The same scheduler without any idea of how long runs take: first come, first served, and in a
    // random order.
    for (PlannedRun& run : runs) run.cost = run.slots == 4 ? 0.25 : 1.0;
    const double first_come = over_least();
    std::shuffle(runs.begin(), runs.end(), random);
    const double in_random_order = over_least();
    EXPECT_LE(ours, 1.05) << "seed " << seed;
    EXPECT_LT(ours, first_come) << "seed " << seed;
    EXPECT_LT(ours, in_random_order) << "seed " << seed;
    std::printf("seed %u, over the least that is possible: %.3f; first come %.3f; random %.3f\n",
                seed, ours, first_come, in_random_order);
  }
}

}  // namespace
}  // namespace marquee::orchestrator
