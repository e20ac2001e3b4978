#include "orchestrator/makespan.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace marquee::orchestrator
