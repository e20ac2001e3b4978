#include "orchestrator/forecast.h"

#include <gtest/gtest.h>

#include "orchestrator/human.h"

namespace marquee::orchestrator {
namespace {

const std::map<std::string, double> kSeconds{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 3}, {"e", 3}};

std::vector<PlannedRun> runs_of(const std::map<std::string, double>& seconds) {
  std::vector<PlannedRun> runs;
  for (const auto& [name, duration] : seconds) runs.push_back({name, false, duration});
  return runs;
}

TEST(Forecast, IsTheSumWithOneWorker) {
  EXPECT_DOUBLE_EQ(forecast(runs_of(kSeconds), kSeconds, 1).seconds, 18);
}

TEST(Forecast, GivesTheLongestFirstToWhoeverIsFree) {
  // 5 and 4 start; c at 4, d at 5, e at 7: the end is 10.
  const Forecast two = forecast(runs_of(kSeconds), kSeconds, 2);
  EXPECT_DOUBLE_EQ(two.seconds, 10);
  EXPECT_DOUBLE_EQ(two.starts.at("a"), 0);
  EXPECT_DOUBLE_EQ(two.starts.at("c"), 4);
  EXPECT_DOUBLE_EQ(two.starts.at("d"), 5);
  EXPECT_DOUBLE_EQ(two.starts.at("e"), 7);
}

TEST(Forecast, IsTheLongestRunWithWorkersToSpare) {
  EXPECT_DOUBLE_EQ(forecast(runs_of(kSeconds), kSeconds, 50).seconds, 5);
}

TEST(Forecast, StartsOraclesFirstAsTheSchedulerDoes) {
  std::vector<PlannedRun> runs = runs_of({{"long", 10.0}});
  runs.push_back({"oracle", true, 1.0});
  EXPECT_DOUBLE_EQ(forecast(runs, {{"long", 10}, {"oracle", 1}}, 1).starts.at("long"), 1);
}

TEST(Forecast, OfNothingIsZero) {
  EXPECT_DOUBLE_EQ(forecast({}, {}, 3).seconds, 0);
}

TEST(Human, SizesAndDurationsAreReadable) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::int64_t{25} << 20), "25 MiB");
  EXPECT_EQ(human_bytes(std::int64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(human_seconds(0.44), "0.4 s");
  EXPECT_EQ(human_seconds(59.6), "1 min 0 s");
  EXPECT_EQ(human_seconds(200), "3 min 20 s");
  EXPECT_EQ(human_seconds(3600 * 5 + 600), "5 h 10 min");
  EXPECT_EQ(human_seconds(86400 * 2 + 3600), "2 d 1 h");
}

}  // namespace
}  // namespace marquee::orchestrator
