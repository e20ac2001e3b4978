#include "orchestrator/sweep/shared_sweep.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "experiments/claim.h"
#include "experiments/ledger.h"
#include "experiments/simulation.h"
#include "orchestrator/simulated_trainer.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using experiments::RunConfig;
using experiments::RunId;

constexpr double kForever = 1e9;

class SharedSweepTest : public testing::Test {
 protected:
  SharedSweepTest() {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      RunConfig run;
      run.task = "drawn/dsprites_location";
      run.shots = "5";
      run.method = "none";
      run.seed = seed;
      run.base_hash = run.network_hash = run.data_hash = experiments::kSimulatedHash;
      runs_.push_back(run);
    }
  }
  SharedSweep sweep(double stale_after_seconds = 60, const std::string& since = "") const {
    return {folder_.path(), runs_, since, "simulated", stale_after_seconds};
  }
  RunId id(std::size_t run) const { return experiments::run_id(runs_[run]); }
  void end(std::size_t run, int attempt, const std::string& status, const std::string& kind = "",
           std::uint64_t claim = 0) const {
    experiments::AttemptRecord record;
    record.run_id = id(run).text();
    record.attempt = attempt;
    record.claim = claim;
    record.status = status;
    record.started = record.ended = cluster::utc_now();
    record.host = "here";
    record.run = experiments::to_json(runs_[run]);
    record.cause.kind = kind;
    if (status == "done") record.result = simulated_result(id(run), runs_[run], 1);
    experiments::write_attempt(experiments::attempt_dir(folder_.path(), id(run), attempt), record);
  }
  void claim_elsewhere(std::size_t run, int sequence, const char* file = nullptr,
                       const std::string& role = "run") const {
    fs::create_directories(folder_.path() / "claims");
    cluster::write_file_durably(
        file != nullptr ? folder_.path() / file : experiments::claim_file(folder_.path(), id(run)),
        R"({"host":"elsewhere.invalid","pid":1,"process_start":1,"epoch":1,"released":false,)"
        R"("sequence":)" +
            std::to_string(sequence) + R"(,"role":")" + role + "\"}");
  }

  cluster::TemporaryFolder folder_;
  std::vector<RunConfig> runs_;
};

TEST_F(SharedSweepTest, GivesEachRunToOneWorker) {
  SharedSweep mine = sweep(), yours = sweep();
  std::set<std::string> taken;
  std::vector<SharedSweep::Taken> held;
  for (SharedSweep* worker : {&mine, &yours, &mine}) {
    auto next = worker->take_next(kForever);
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->attempt, 1);
    EXPECT_TRUE(taken.insert(next->run_id).second);
    held.push_back(std::move(*next));
  }
  EXPECT_FALSE(yours.take_next(kForever).has_value());
  EXPECT_EQ(yours.counts().elsewhere, 3u);
  EXPECT_TRUE(yours.left_to_living()) << "their holder lives here";
}

TEST_F(SharedSweepTest, LeavesWhatIsDoneAndWhatHasFailedTooOften) {
  end(0, 1, "done");
  for (int attempt = 1; attempt <= 3; ++attempt) end(1, attempt, "failed", "crash");
  end(2, 1, "failed", "crash");
  SharedSweep worker = sweep();
  const auto next = worker.take_next(kForever);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->run_id, id(2).text());
  EXPECT_EQ(next->attempt, 2);
  end(2, 2, "done", "", next->claim.epoch());
  EXPECT_FALSE(worker.take_next(kForever).has_value());
  SharedSweep later = sweep();
  EXPECT_FALSE(later.take_next(kForever).has_value());
  EXPECT_EQ(later.counts().done + later.counts().elsewhere, 2u);
  EXPECT_EQ(later.counts().failed, 1u);
}

TEST_F(SharedSweepTest, FailuresOfAnEarlierStartDoNotCount) {
  for (int attempt = 1; attempt <= 3; ++attempt) end(0, attempt, "failed", "crash");
  SharedSweep worker = sweep(60, "2999-01-01T00:00:00.000Z");
  std::set<int> attempts;
  std::vector<SharedSweep::Taken> held;
  while (auto next = worker.take_next(kForever)) {
    attempts.insert(next->attempt);
    held.push_back(std::move(*next));
  }
  EXPECT_EQ(attempts, (std::set<int>{1, 4}));
}

TEST_F(SharedSweepTest, TakesOverAClaimThatStandsStillAndWaitsForOneThatMoves) {
  end(1, 1, "done");
  end(2, 1, "done");
  claim_elsewhere(0, 1);
  SharedSweep worker = sweep(0.3);
  EXPECT_FALSE(worker.take_next(kForever).has_value());
  EXPECT_FALSE(worker.left_to_living()) << "not seen to live yet";
  usleep(200'000);
  claim_elsewhere(0, 2);
  EXPECT_FALSE(worker.take_next(kForever).has_value());
  EXPECT_TRUE(worker.left_to_living());
  usleep(350'000);
  const auto next = worker.take_next(kForever);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->claim.epoch(), 2u);
}

TEST_F(SharedSweepTest, WhatWasSealedUnderAnEarlierClaimIsDone) {
  end(1, 1, "done");
  end(2, 1, "done");
  SharedSweep worker = sweep();
  auto next = worker.take_next(kForever);
  ASSERT_TRUE(next.has_value());
  end(0, next->attempt, "done", "", next->claim.epoch());
  next->claim.release();  // killed before it could hand it in
  SharedSweep other = sweep();
  EXPECT_FALSE(other.take_next(kForever).has_value());
  EXPECT_EQ(other.counts().done, 3u);
}

TEST_F(SharedSweepTest, NobodyClaimsWhileACoordinatorHoldsTheFolder) {
  claim_elsewhere(0, 1, "lock", "sweep");
  SharedSweep worker = sweep(0.2);
  EXPECT_THROW(worker.refuse_coordinator(), cluster::Error);
  EXPECT_THROW(worker.take_next(kForever), cluster::Error);
  usleep(250'000);
  EXPECT_TRUE(worker.take_next(kForever).has_value()) << "it stood still";
  claim_elsewhere(0, 1, "lock", "command");
  SharedSweep beside = sweep();
  EXPECT_NO_THROW(beside.refuse_coordinator()) << "a short command";
}

TEST_F(SharedSweepTest, LeavesCancelledRunsAndTakesUpThoseThatAreWantedAgain) {
  end(0, 1, "done");
  end(1, 1, "done");
  {
    auto ledger = experiments::Ledger::open(folder_.path(), 1);
    for (const RunConfig& run : runs_) ledger.register_run(run);
    for (std::size_t run : {0, 1})
      ledger.finish_attempt(
          experiments::read_attempt(experiments::attempt_dir(folder_.path(), id(run), 1)));
    ledger.cancel(id(2).text());
    ledger.want_rerun(id(1).text());
    ledger.publish();
  }
  SharedSweep worker = sweep();
  const auto next = worker.take_next(kForever);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->run_id, id(1).text());
  EXPECT_EQ(next->attempt, 2);
  EXPECT_EQ(next->rerun_of, 1);
  EXPECT_FALSE(worker.take_next(kForever).has_value());
  EXPECT_EQ(worker.counts().cancelled, 1u);
}

}  // namespace
}  // namespace marquee::orchestrator
