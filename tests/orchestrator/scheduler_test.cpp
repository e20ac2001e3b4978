#include "orchestrator/scheduling/scheduler.h"

#include <set>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

// Slots enough for all, and nothing known about time.
class Queue : public Scheduler {
 public:
  explicit Queue(std::vector<PlannedRun> runs)
      : Scheduler(std::move(runs), SlotPool::uniform(16)) {}
  std::optional<std::string> next() {
    const auto start = Scheduler::next({});
    return start ? std::optional(start->run_id) : std::nullopt;
  }
};

std::vector<std::string> order_of(Queue& scheduler) {
  std::vector<std::string> order;
  while (auto next = scheduler.next()) order.push_back(*next);
  return order;
}

PlannedRun run_of(const std::string& name, double cost) {
  PlannedRun run;
  run.run_id = name;
  run.cost = cost;
  return run;
}

PlannedRun oracle_of(const std::string& name, double cost) {
  PlannedRun run = run_of(name, cost);
  run.oracle = true;
  return run;
}

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

SlotFacts slot(const std::string& host, const std::string& kind = "GPU", std::int64_t gib = 80) {
  return {host, kind, gib * kGiB};
}

TEST(Scheduler, StartsOraclesThenLongestThenInFileOrder) {
  Queue scheduler({run_of("short", 1.0), run_of("long_a", 9.0), run_of("long_b", 9.0),
                   oracle_of("oracle", 0.0)});
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"oracle", "long_a", "long_b", "short"}));
}

TEST(Scheduler, LeavesOutWhatIsDone) {
  Queue scheduler({run_of("a", 1.0), run_of("b", 1.0)});
  scheduler.mark_done("a");
  EXPECT_EQ(order_of(scheduler), std::vector<std::string>{"b"});
  scheduler.finished("b");
  EXPECT_TRUE(scheduler.complete());
}

TEST(Scheduler, TriesACrashedRunThreeTimes) {
  Queue scheduler({run_of("a", 1.0)});
  for (const bool again : {true, true, false}) {
    ASSERT_EQ(scheduler.next(), "a");
    EXPECT_EQ(scheduler.failed("a", FailureKind::crash), again);
  }
  EXPECT_EQ(scheduler.next(), std::nullopt);
  EXPECT_TRUE(scheduler.complete());
  EXPECT_EQ(scheduler.counts(), (ScheduleCounts{1, 0, 1, 0, 0}));
}

TEST(Scheduler, NeverRepeatsAUsageFailure) {
  Queue scheduler({run_of("a", 1.0)});
  scheduler.next();
  EXPECT_FALSE(scheduler.failed("a", FailureKind::usage));
}

TEST(Scheduler, RepeatsEnvironmentAndDefectOnce) {
  for (const FailureKind kind : {FailureKind::environment, FailureKind::defect}) {
    Queue scheduler({run_of("a", 1.0)});
    scheduler.next();
    EXPECT_TRUE(scheduler.failed("a", kind));
    scheduler.next();
    EXPECT_FALSE(scheduler.failed("a", kind));
  }
}

TEST(Scheduler, DoesNotCountInterruptions) {
  Queue scheduler({run_of("a", 1.0)});
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(scheduler.next(), "a");
    EXPECT_TRUE(scheduler.failed("a", FailureKind::interrupted));
  }
  EXPECT_FALSE(scheduler.complete());
}

TEST(Scheduler, GoesOnWithOthersAfterSettingOneAside) {
  Queue scheduler({run_of("bad", 2.0), run_of("good", 1.0)});
  scheduler.next();
  scheduler.failed("bad", FailureKind::usage);
  EXPECT_EQ(scheduler.next(), "good");
}

TEST(Scheduler, StartsNoCancelledRun) {
  Queue scheduler({run_of("a", 2.0), run_of("b", 1.0)});
  EXPECT_FALSE(scheduler.cancel("a"));
  EXPECT_EQ(order_of(scheduler), std::vector<std::string>{"b"});
  scheduler.finished("b");
  EXPECT_TRUE(scheduler.complete());
  EXPECT_EQ(scheduler.counts().cancelled, 1u);
  EXPECT_EQ(scheduler.counts().done, 1u);
}

TEST(Scheduler, SetsARunningRunAsideWhenItIsInterrupted) {
  for (const FailureKind end : {FailureKind::interrupted, FailureKind::crash}) {
    Queue scheduler({run_of("a", 1.0)});
    scheduler.next();
    EXPECT_TRUE(scheduler.cancel("a"));
    EXPECT_EQ(scheduler.counts().running, 1u);
    EXPECT_FALSE(scheduler.failed("a", end));
    EXPECT_EQ(scheduler.counts().cancelled, 1u);
    EXPECT_TRUE(scheduler.complete());
  }
}

TEST(Scheduler, KeepsADoneRunDoneWhenItIsCancelled) {
  Queue scheduler({run_of("a", 1.0)});
  scheduler.mark_done("a");
  EXPECT_FALSE(scheduler.cancel("a"));
  EXPECT_EQ(scheduler.counts().done, 1u);
}

TEST(Scheduler, TakesARunUpAgainWithAllItsAttempts) {
  Queue scheduler({run_of("a", 1.0)});
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
  Queue scheduler({run_of("a", 1.0)});
  scheduler.next();
  scheduler.cancel("a");
  scheduler.again("a");
  EXPECT_TRUE(scheduler.failed("a", FailureKind::interrupted));
  EXPECT_EQ(scheduler.next(), "a");
}

TEST(Scheduler, AddsRunsBehindTheOthers) {
  Queue scheduler({run_of("a", 1.0)});
  scheduler.add(oracle_of("b", 9.0));
  EXPECT_TRUE(scheduler.knows("b"));
  EXPECT_FALSE(scheduler.knows("c"));
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(scheduler.counts().total, 2u);
}

TEST(Scheduler, TakesAResultFromElsewhereForARunThatDoesNotRun) {
  Queue scheduler({run_of("a", 2.0), run_of("b", 1.0)});
  ASSERT_EQ(scheduler.next(), "a");
  scheduler.finished_elsewhere("a");
  scheduler.finished_elsewhere("b");
  EXPECT_EQ(scheduler.counts(), (ScheduleCounts{2, 1, 0, 1, 0}));
  scheduler.finished("a");
  EXPECT_TRUE(scheduler.complete());
}

TEST(Scheduler, RefusesAnEndWithoutAStart) {
  Queue scheduler({run_of("a", 1.0)});
  EXPECT_THROW(scheduler.finished("a"), cluster::Error);
  EXPECT_THROW(scheduler.finished("unheard-of"), cluster::Error);
}

TEST(FailureKind, SurvivesItsName) {
  for (const FailureKind kind : {FailureKind::crash, FailureKind::deadline, FailureKind::protocol,
                                 FailureKind::environment, FailureKind::defect, FailureKind::usage,
                                 FailureKind::out_of_memory, FailureKind::interrupted}) {
    EXPECT_EQ(failure_kind(failure_name(kind)), kind);
  }
  EXPECT_EQ(failure_kind("something new"), FailureKind::defect);
}

// Four slots, of which two long runs take one each; a gang of four waits behind them.
class Backfill : public testing::Test {
 protected:
  static PlannedRun gang_of(const std::string& name, double cost, int slots) {
    PlannedRun run = run_of(name, cost);
    run.slots = slots;
    return run;
  }
  // A unit of cost takes a second.
  static Scheduler::Clock at(double now) { return {now, 1.0}; }
  static std::string next(Scheduler& scheduler, Scheduler::Clock clock) {
    const auto start = scheduler.next(clock);
    return start ? start->run_id : "";
  }
  void start() {
    ASSERT_EQ(next(scheduler_, at(0)), "first");
    ASSERT_EQ(next(scheduler_, at(0)), "second");
  }
  Scheduler scheduler_{{oracle_of("first", 10), oracle_of("second", 8), gang_of("gang", 5, 4),
                        run_of("long", 12), run_of("short", 2)},
                       SlotPool::uniform(4)};
};

TEST_F(Backfill, StartsWhatEndsBeforeTheGangCanBegin) {
  start();
  // The gang has its slots at 10; of the two behind it only one has ended by then.
  EXPECT_EQ(next(scheduler_, at(0)), "short");
  EXPECT_EQ(next(scheduler_, at(0)), "");
  scheduler_.finished("short");
  scheduler_.finished("second");
  scheduler_.finished("first");
  const auto gang = scheduler_.next(at(10));
  ASSERT_TRUE(gang);
  EXPECT_EQ(gang->run_id, "gang");
  EXPECT_EQ(gang->slots, (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(Backfill, StartsWhatLeavesTheGangEnough) {
  Scheduler scheduler(
      {gang_of("pair", 10, 2), gang_of("gang", 5, 4), run_of("long", 12), run_of("longer", 13)},
      SlotPool::uniform(5));
  ASSERT_EQ(next(scheduler, at(0)), "pair");
  // When the pair has ended there is one more slot than the gang takes.
  EXPECT_EQ(next(scheduler, at(0)), "longer");
  EXPECT_EQ(next(scheduler, at(0)), "");
}

TEST_F(Backfill, NeverStarvesTheGang) {
  start();
  EXPECT_TRUE(scheduler_.may_start(at(0)));
  // "second" comes before the gang once more and would give others time until 20: after a while the
  // free slots wait for the gang all the same.
  EXPECT_TRUE(scheduler_.failed("second", FailureKind::crash));
  EXPECT_EQ(next(scheduler_, at(12)), "second");
  EXPECT_TRUE(scheduler_.may_start(at(12)));
  EXPECT_FALSE(scheduler_.may_start(at(13)));
  scheduler_.finished("first");
  scheduler_.finished("second");
  EXPECT_EQ(next(scheduler_, at(13)), "gang");
}

TEST_F(Backfill, NothingWhereTheSpeedIsNotKnown) {
  ASSERT_EQ(next(scheduler_, {}), "first");
  ASSERT_EQ(next(scheduler_, {}), "second");
  EXPECT_EQ(next(scheduler_, {}), "");
  // Once it is, what had started before counts too.
  EXPECT_EQ(next(scheduler_, at(1)), "short");
}

TEST_F(Backfill, LeavesSlotsAloneThatTheGangCannotTake) {
  PlannedRun gang = gang_of("gang", 20, 2), first = oracle_of("first", 10);
  gang.need.kind = first.need.kind = "H100";
  Scheduler scheduler(
      {first, gang, run_of("long", 12), run_of("longer", 13)},
      SlotPool({{1, slot("a", "H100")}, {2, slot("a", "H100")}, {3, slot("b", "A100")}}));
  ASSERT_EQ(next(scheduler, at(0)), "first");
  const auto beside = scheduler.next(at(0));
  ASSERT_TRUE(beside);
  EXPECT_EQ(beside->run_id, "longer");
  EXPECT_EQ(beside->slots, std::vector<int>{3});
  EXPECT_EQ(next(scheduler, at(0)), "");
}

TEST(SchedulerOrder, PutsPriorityBeforeOraclesAndLength) {
  PlannedRun urgent = run_of("urgent", 1), later = run_of("later", 100);
  urgent.priority = 2;
  later.priority = -1;
  Queue scheduler({run_of("long", 9), later, oracle_of("oracle", 0), urgent});
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"urgent", "oracle", "long", "later"}));
}

TEST(SchedulerOrder, FollowsNewEstimatesOfAKind) {
  std::vector<PlannedRun> runs{run_of("a0", 9), run_of("a1", 9), run_of("b0", 5), run_of("b1", 5)};
  runs[0].kind = runs[1].kind = 1;
  runs[2].kind = runs[3].kind = 2;
  Queue scheduler(runs);
  EXPECT_EQ(scheduler.next(), "a0");
  scheduler.set_estimate(1, {3.0});
  scheduler.set_estimate(2, {4.0});
  EXPECT_EQ(order_of(scheduler), (std::vector<std::string>{"b0", "b1", "a1"}));
}

TEST(SchedulerOrder, HasAsManyStartsAsRunsWhateverHappensToEstimates) {
  std::vector<PlannedRun> runs;
  for (int i = 0; i < 200; ++i) {
    runs.push_back(run_of("r" + std::to_string(i), i % 7));
    runs.back().kind = static_cast<std::uint64_t>(1 + i % 5);
  }
  Scheduler scheduler(runs, SlotPool::uniform(3));
  std::set<std::string> started;
  for (int round = 0; round < 400 && !scheduler.complete(); ++round) {
    while (const auto start = scheduler.next({1.0 * round, 1.0})) {
      EXPECT_TRUE(started.insert(start->run_id).second);
      scheduler.set_estimate(static_cast<std::uint64_t>(1 + round % 5), {1.0 * (round * 31 % 17)});
      scheduler.finished(start->run_id);
    }
  }
  EXPECT_EQ(started.size(), 200u);
}

TEST(SchedulerAffinity, GoesOnWithTheBaseAndTaskThatAreLoaded) {
  std::vector<PlannedRun> runs{run_of("x0", 10), run_of("y0", 10), run_of("x1", 9.8),
                               run_of("y1", 9.6), run_of("z", 5)};
  runs[0].wants = runs[2].wants = {7, 1};
  runs[1].wants = runs[3].wants = {7, 2};
  runs[4].wants = {7, 2};
  Scheduler scheduler(runs, SlotPool::uniform(2));
  ASSERT_EQ(scheduler.next({})->run_id, "x0");
  ASSERT_EQ(scheduler.next({})->run_id, "y0");
  // A little shorter, but its task is there.
  scheduler.finished("y0");
  EXPECT_EQ(scheduler.next({})->run_id, "y1");
  // Much shorter: the longest comes first whatever is loaded.
  scheduler.finished("y1");
  EXPECT_EQ(scheduler.next({})->run_id, "x1");
}

TEST(SchedulerAffinity, TakesTheIdleSlotThatHasTheBase) {
  std::vector<PlannedRun> runs{run_of("x0", 10), run_of("y0", 9), run_of("x1", 5)};
  runs[0].wants = runs[2].wants = {7, 1};
  runs[1].wants = {8, 1};
  Scheduler scheduler(runs, SlotPool::uniform(2));
  ASSERT_EQ(scheduler.next({})->run_id, "x0");
  const auto other = scheduler.next({});
  scheduler.finished("x0");
  scheduler.finished("y0");
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{1});
  // Not where its trainer has died.
  std::vector<PlannedRun> again{run_of("x0", 10), run_of("x1", 10), run_of("x2", 5)};
  for (PlannedRun& run : again) run.wants = {7, 1};
  Scheduler dying(again, SlotPool::uniform(2));
  ASSERT_EQ(dying.next({})->run_id, "x0");
  ASSERT_EQ(dying.next({})->run_id, "x1");
  for (int i = 0; i < 2; ++i) {
    dying.failed("x0", FailureKind::crash);
    ASSERT_EQ(dying.next({})->run_id, "x0");
  }
  dying.failed("x0", FailureKind::crash);
  dying.finished("x1");
  EXPECT_EQ(dying.next({})->slots, std::vector<int>{2});
}

TEST(SchedulerTokens, LetOneMakeThemForTheOthers) {
  std::vector<PlannedRun> runs{run_of("x0", 10), run_of("x1", 10), run_of("y", 8), run_of("z", 2)};
  for (int i : {0, 1}) {
    runs[static_cast<std::size_t>(i)].token_file = 5;
    runs[static_cast<std::size_t>(i)].token_set = 6;
  }
  Scheduler scheduler(runs, SlotPool::uniform(4));
  EXPECT_EQ(scheduler.next({})->run_id, "x0");
  // x1 would wait for what x0 makes: one that is not much shorter passes.
  EXPECT_EQ(scheduler.next({})->run_id, "y");
  // But no slot stays idle for it, and none that is much shorter passes.
  EXPECT_EQ(scheduler.next({})->run_id, "x1");
  scheduler.failed("x1", FailureKind::interrupted);
  scheduler.has_tokens("x0");
  EXPECT_EQ(scheduler.next({})->run_id, "x1");
  EXPECT_EQ(scheduler.next({})->run_id, "z");
}

TEST(SchedulerTimeLimit, StartsNothingThatReachesNoCheckpoint) {
  std::vector<PlannedRun> runs{run_of("slow", 10), run_of("quick", 5), run_of("unknown", 1)};
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].kind = i + 1;
  Scheduler scheduler(runs, SlotPool::uniform(3));
  scheduler.set_estimate(1, {10, 6.0});
  scheduler.set_estimate(2, {5, 2.0});
  EXPECT_EQ(scheduler.next({0, 1, 5.0})->run_id, "quick");
  EXPECT_EQ(scheduler.next({0, 1, 5.0})->run_id, "unknown");
  EXPECT_FALSE(scheduler.next({0, 1, 5.0}));
  EXPECT_TRUE(scheduler.out_of_time());
  EXPECT_FALSE(scheduler.complete());
  // It turns out to be quicker.
  scheduler.set_estimate(1, {10, 3.0});
  EXPECT_FALSE(scheduler.out_of_time());
  EXPECT_EQ(scheduler.next({1, 1, 4.0})->run_id, "slow");
  // At the end nothing starts, whatever is known.
  scheduler.failed("unknown", FailureKind::interrupted);
  EXPECT_FALSE(scheduler.next({5, 1, 0.0}));
  EXPECT_TRUE(scheduler.out_of_time());
}

TEST(SchedulerSlots, GivesARunASlotOfItsKindAndSize) {
  std::vector<PlannedRun> runs{run_of("large", 10), run_of("a100", 9), run_of("any", 1)};
  runs[0].need.memory_gib = 60;
  runs[1].need.kind = "a100";
  Scheduler scheduler(runs, SlotPool({{1, slot("a", "NVIDIA A100", 40)},
                                      {2, slot("b", "NVIDIA H100", 80)},
                                      {3, slot("c", "NVIDIA H100", 80)}}));
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{2});
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{1});
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{3});
  PlannedRun never = run_of("never", 1);
  never.need.memory_gib = 81;
  EXPECT_FALSE(scheduler.could_place(never));
}

TEST(SchedulerSlots, KeepsSmallSlotsForWhatFitsThere) {
  std::vector<PlannedRun> runs{run_of("heavy0", 10), run_of("heavy1", 10), run_of("light", 1)};
  runs[0].kind = runs[1].kind = 1;
  Scheduler scheduler(runs, SlotPool({{1, slot("a", "GPU", 40)}, {2, slot("b", "GPU", 80)}}));
  scheduler.set_estimate(1, {10, 0, 50 * kGiB});
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{2});
  EXPECT_EQ(scheduler.next({})->run_id, "light");
  // More than any slot has: what is known may be wrong, so it takes the largest there is.
  scheduler.set_estimate(1, {10, 0, 500 * kGiB});
  scheduler.finished("light");
  EXPECT_EQ(scheduler.next({})->run_id, "heavy1");
}

TEST(SchedulerSlots, TriesAnotherSlotWithMoreMemoryOnce) {
  const std::map<int, SlotFacts> slots{
      {1, slot("a", "GPU", 40)}, {2, slot("b", "GPU", 80)}, {3, slot("c", "GPU", 96)}};
  Scheduler scheduler({run_of("a", 10)}, SlotPool(slots));
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{1});
  EXPECT_TRUE(scheduler.failed("a", FailureKind::out_of_memory));
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{2});
  EXPECT_FALSE(scheduler.failed("a", FailureKind::out_of_memory));
  Scheduler equal({run_of("a", 10)}, SlotPool({{1, slot("a")}, {2, slot("b")}}));
  equal.next({});
  EXPECT_FALSE(equal.failed("a", FailureKind::out_of_memory));
  EXPECT_TRUE(equal.complete());
}

TEST(SchedulerHosts, TriesAnotherHostAfterAnEnvironmentFailure) {
  Scheduler scheduler({run_of("a", 10), run_of("b", 5)},
                      SlotPool({{1, slot("bad")}, {2, slot("good")}}));
  ASSERT_EQ(scheduler.next({})->slots, std::vector<int>{1});
  ASSERT_EQ(scheduler.next({})->slots, std::vector<int>{2});
  EXPECT_TRUE(scheduler.failed("a", FailureKind::environment));
  EXPECT_FALSE(scheduler.next({}));
  scheduler.finished("b");
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{2});
}

TEST(SchedulerHosts, StartsNothingOnAnExcludedHost) {
  PlannedRun gang = run_of("gang", 20);
  gang.slots = 2;
  Scheduler scheduler({run_of("a", 10), run_of("b", 5), run_of("c", 4)},
                      SlotPool({{1, slot("bad")}, {2, slot("good")}, {3, slot("good")}}));
  ASSERT_EQ(scheduler.next({})->slots, std::vector<int>{1});
  EXPECT_FALSE(scheduler.failed("a", FailureKind::usage));
  EXPECT_TRUE(scheduler.exclude("bad"));
  EXPECT_TRUE(scheduler.forgive("a", FailureKind::usage));
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{2});
  EXPECT_EQ(scheduler.next({})->slots, std::vector<int>{3});
  EXPECT_FALSE(scheduler.next({}));
  EXPECT_FALSE(scheduler.exclude("good"));
  // Not where a gang would lose its slots.
  Scheduler needed({gang}, SlotPool({{1, slot("bad")}, {2, slot("good")}}));
  EXPECT_FALSE(needed.exclude("bad"));
  EXPECT_EQ(needed.next({})->slots.size(), 2u);
}

TEST(SchedulerHosts, GivesAGangSlotsOfOneKind) {
  PlannedRun gang = run_of("gang", 20);
  gang.slots = 2;
  Scheduler scheduler(
      {gang, run_of("single", 1)},
      SlotPool({{1, slot("a", "A100")}, {2, slot("b", "H100")}, {3, slot("c", "H100")}}));
  EXPECT_EQ(scheduler.next({})->slots, (std::vector<int>{2, 3}));
  gang.slots = 4;
  EXPECT_FALSE(scheduler.could_place(gang));
}

}  // namespace
}  // namespace marquee::orchestrator
