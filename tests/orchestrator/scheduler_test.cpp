#include "orchestrator/scheduler.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

std::vector<std::string> order_of(Scheduler& scheduler) {
  std::vector<std::string> order;
  while (auto next = scheduler.next()) order.push_back(*next);
  return order;
}

TEST(Scheduler, StartsOraclesThenLongestThenInFileOrder) {
  Scheduler scheduler({{"short", false, 1.0},
                       {"long_a", false, 9.0},
                       {"long_b", false, 9.0},
                       {"oracle", true, 0.0}});
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"oracle", "long_a", "long_b", "short"}));
}

TEST(Scheduler, LeavesOutWhatIsDone) {
  Scheduler scheduler({{"a", false, 1.0}, {"b", false, 1.0}});
  scheduler.mark_done("a");
  EXPECT_EQ(order_of(scheduler), std::vector<std::string>{"b"});
  scheduler.finished("b");
  EXPECT_TRUE(scheduler.complete());
}

TEST(Scheduler, TriesACrashedRunThreeTimes) {
  Scheduler scheduler({{"a", false, 1.0}});
  for (const bool again : {true, true, false}) {
    ASSERT_EQ(scheduler.next(), "a");
    EXPECT_EQ(scheduler.failed("a", FailureKind::crash), again);
  }
  EXPECT_EQ(scheduler.next(), std::nullopt);
  EXPECT_TRUE(scheduler.complete());
  EXPECT_EQ(scheduler.counts(), (ScheduleCounts{1, 0, 1, 0, 0}));
}

TEST(Scheduler, NeverRepeatsAUsageFailure) {
  Scheduler scheduler({{"a", false, 1.0}});
  scheduler.next();
  EXPECT_FALSE(scheduler.failed("a", FailureKind::usage));
}

TEST(Scheduler, RepeatsEnvironmentAndDefectOnce) {
  for (const FailureKind kind : {FailureKind::environment, FailureKind::defect}) {
    Scheduler scheduler({{"a", false, 1.0}});
    scheduler.next();
    EXPECT_TRUE(scheduler.failed("a", kind));
    scheduler.next();
    EXPECT_FALSE(scheduler.failed("a", kind));
  }
}

TEST(Scheduler, DoesNotCountInterruptions) {
  Scheduler scheduler({{"a", false, 1.0}});
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(scheduler.next(), "a");
    EXPECT_TRUE(scheduler.failed("a", FailureKind::interrupted));
  }
  EXPECT_FALSE(scheduler.complete());
}

TEST(Scheduler, GoesOnWithOthersAfterSettingOneAside) {
  Scheduler scheduler({{"bad", false, 2.0}, {"good", false, 1.0}});
  scheduler.next();
  scheduler.failed("bad", FailureKind::usage);
  EXPECT_EQ(scheduler.next(), "good");
}

TEST(Scheduler, StartsNoCancelledRun) {
  Scheduler scheduler({{"a", false, 2.0}, {"b", false, 1.0}});
  EXPECT_FALSE(scheduler.cancel("a"));
  EXPECT_EQ(order_of(scheduler), std::vector<std::string>{"b"});
  scheduler.finished("b");
  EXPECT_TRUE(scheduler.complete());
  EXPECT_EQ(scheduler.counts().cancelled, 1u);
  EXPECT_EQ(scheduler.counts().done, 1u);
}

TEST(Scheduler, SetsARunningRunAsideWhenItIsInterrupted) {
  for (const FailureKind end : {FailureKind::interrupted, FailureKind::crash}) {
    Scheduler scheduler({{"a", false, 1.0}});
    scheduler.next();
    EXPECT_TRUE(scheduler.cancel("a"));
    EXPECT_EQ(scheduler.counts().running, 1u);
    EXPECT_FALSE(scheduler.failed("a", end));
    EXPECT_EQ(scheduler.counts().cancelled, 1u);
    EXPECT_TRUE(scheduler.complete());
  }
}

TEST(Scheduler, KeepsADoneRunDoneWhenItIsCancelled) {
  Scheduler scheduler({{"a", false, 1.0}});
  scheduler.mark_done("a");
  EXPECT_FALSE(scheduler.cancel("a"));
  EXPECT_EQ(scheduler.counts().done, 1u);
}

TEST(Scheduler, TakesARunUpAgainWithAllItsAttempts) {
  Scheduler scheduler({{"a", false, 1.0}});
  scheduler.next();
  EXPECT_FALSE(scheduler.failed("a", FailureKind::usage));
  scheduler.again("a");
  for (const bool more : {true, true, false}) {
    ASSERT_EQ(scheduler.next(), "a");
    EXPECT_EQ(scheduler.failed("a", FailureKind::crash), more);
  }
  scheduler.again("a");
  ASSERT_EQ(scheduler.next(), "a");
  scheduler.finished("a");
  scheduler.again("a");
  EXPECT_EQ(scheduler.next(), "a");
}

TEST(Scheduler, ForgetsACancellationThatWasTakenBack) {
  Scheduler scheduler({{"a", false, 1.0}});
  scheduler.next();
  scheduler.cancel("a");
  scheduler.again("a");
  EXPECT_TRUE(scheduler.failed("a", FailureKind::interrupted));
  EXPECT_EQ(scheduler.next(), "a");
}

TEST(Scheduler, AddsRunsBehindTheOthers) {
  Scheduler scheduler({{"a", false, 1.0}});
  scheduler.add({"b", true, 9.0});
  EXPECT_TRUE(scheduler.knows("b"));
  EXPECT_FALSE(scheduler.knows("c"));
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(scheduler.counts().total, 2u);
}

TEST(Scheduler, TakesAResultFromElsewhereForARunThatDoesNotRun) {
  Scheduler scheduler({{"a", false, 2.0}, {"b", false, 1.0}});
  ASSERT_EQ(scheduler.next(), "a");
  scheduler.finished_elsewhere("a");
  scheduler.finished_elsewhere("b");
  EXPECT_EQ(scheduler.counts(), (ScheduleCounts{2, 1, 0, 1, 0}));
  scheduler.finished("a");
  EXPECT_TRUE(scheduler.complete());
}

TEST(Scheduler, RefusesAnEndWithoutAStart) {
  Scheduler scheduler({{"a", false, 1.0}});
  EXPECT_THROW(scheduler.finished("a"), cluster::Error);
  EXPECT_THROW(scheduler.finished("unheard-of"), cluster::Error);
}

TEST(FailureKind, SurvivesItsName) {
  for (const FailureKind kind :
       {FailureKind::crash, FailureKind::deadline, FailureKind::protocol, FailureKind::environment,
        FailureKind::defect, FailureKind::usage, FailureKind::interrupted}) {
    EXPECT_EQ(failure_kind(failure_name(kind)), kind);
  }
  EXPECT_EQ(failure_kind("something new"), FailureKind::defect);
}

TEST(ExpectedCost, GrowsWithStepsOnlyWhereTheMethodTunes) {
  experiments::RunConfig run;
  run.method = "none";
  run.samples = 10;
  run.steps = 5;
  const double untuned = expected_cost(run);
  run.steps = 5000;
  EXPECT_EQ(expected_cost(run), untuned);
  run.method = "prompt";
  EXPECT_GT(expected_cost(run), untuned);
}

// a (4 slots) waits for what runs; short and long singles are behind it.
class Backfill : public testing::Test {
 protected:
  Scheduler scheduler_{{{"first", true, 10, 0, 1},
                        {"second", true, 8, 1, 1},
                        {"gang", false, 5, 2, 4},
                        {"long", false, 12, 3, 1},
                        {"short", false, 2, 4, 1}}};
  // Four slots, a unit of cost takes a second.
  static Scheduler::Clock at(double now) { return {now, 1.0}; }
  void start() {
    ASSERT_EQ(scheduler_.next(4, at(0)), "first");
    ASSERT_EQ(scheduler_.next(3, at(0)), "second");
  }
};

TEST_F(Backfill, StartsWhatEndsBeforeTheGangCanBegin) {
  start();
  // The gang has its slots at 10; of the two behind it only one has ended by then.
  EXPECT_EQ(scheduler_.next(2, at(0)), "short");
  EXPECT_EQ(scheduler_.next(1, at(0)), std::nullopt);
  scheduler_.finished("short");
  scheduler_.finished("second");
  scheduler_.finished("first");
  EXPECT_EQ(scheduler_.next(4, at(10)), "gang");
}

TEST_F(Backfill, StartsWhatLeavesTheGangEnough) {
  Scheduler scheduler({{"pair", true, 10, 0, 2},
                       {"gang", false, 5, 1, 4},
                       {"long", false, 12, 2, 1},
                       {"longer", false, 13, 3, 1}});
  ASSERT_EQ(scheduler.next(5, at(0)), "pair");
  // When the pair has ended there is one more slot than the gang takes.
  EXPECT_EQ(scheduler.next(3, at(0)), "longer");
  EXPECT_EQ(scheduler.next(2, at(0)), std::nullopt);
}

TEST_F(Backfill, NeverStarvesTheGang) {
  start();
  EXPECT_TRUE(scheduler_.may_start(2, at(0)));
  // "first" takes longer than it should have: after a while the free slots wait for the gang.
  EXPECT_FALSE(scheduler_.may_start(3, at(13)));
  EXPECT_EQ(scheduler_.next(4, at(13)), "gang");
}

TEST_F(Backfill, NothingWhereTheSpeedIsNotKnown) {
  start();
  EXPECT_EQ(scheduler_.next(2, {0.0, 0.0}), std::nullopt);
}

}  // namespace
}  // namespace marquee::orchestrator
