#include "workers/models/marquee_header.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

const MarqueeSchedule kSchedules[] = {MarqueeSchedule::linear, MarqueeSchedule::cosine,
                                      MarqueeSchedule::step};

TEST(MarqueeHeader, RisesFromTheFirstWaypointToTheLast) {
  for (const MarqueeSchedule schedule : kSchedules) {
    for (const std::int64_t steps : {2, 3, 8, 12, 50}) {
      for (const std::int64_t last : {0, 1, 2, 7}) {
        double before = 0;
        for (std::int64_t step = 0; step < steps; ++step) {
          const double position = marquee_position(schedule, step, steps, last);
          EXPECT_GE(position, before);
          before = position;
        }
        EXPECT_EQ(marquee_position(schedule, 0, steps, last), 0.0);
        EXPECT_EQ(before, static_cast<double>(last));
      }
    }
  }
}

TEST(MarqueeHeader, StaysAtTheFirstWaypointWithOneStep) {
  for (const MarqueeSchedule schedule : kSchedules)
    EXPECT_EQ(marquee_position(schedule, 0, 1, 3), 0.0);
}

TEST(MarqueeHeader, HasTheValuesOfTheFormulas) {
  const auto positions = [](MarqueeSchedule schedule) {
    std::vector<double> all;
    for (std::int64_t step = 0; step < 5; ++step)
      all.push_back(marquee_position(schedule, step, 5, 2));
    return all;
  };
  EXPECT_EQ(positions(MarqueeSchedule::linear), (std::vector<double>{0, 0.5, 1, 1.5, 2}));
  EXPECT_EQ(positions(MarqueeSchedule::step), (std::vector<double>{0, 1, 1, 2, 2}));
  // 1 - cos(pi k / 4): 0, 1 - sqrt(1/2), 1, 1 + sqrt(1/2), 2.
  const std::vector<double> cosine = positions(MarqueeSchedule::cosine);
  EXPECT_NEAR(cosine[1], 0.2928932188134524, 1e-15);
  EXPECT_NEAR(cosine[2], 1.0, 1e-15);
  EXPECT_NEAR(cosine[3], 1.7071067811865475, 1e-15);
}

TEST(MarqueeHeader, MixesTheTwoWaypointsAround) {
  const std::vector<Tensor> waypoints{torch::full({2}, 1.0), torch::full({2}, 3.0),
                                      torch::full({2}, 11.0)};
  const auto mix = [&](double position) {
    return marquee_mix(waypoints, position)[0].item<double>();
  };
  EXPECT_EQ(mix(0), 1.0);
  EXPECT_EQ(mix(0.5), 2.0);
  EXPECT_EQ(mix(1), 3.0);
  EXPECT_EQ(mix(1.25), 5.0);
  EXPECT_EQ(mix(2), 11.0);
}

TEST(MarqueeHeader, RefusesAScheduleItDoesNotKnow) {
  EXPECT_THROW(parse_marquee_schedule("cubic"), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
