// The ledger made again from run folders.
#include "experiments/rebuild.h"

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "experiments/ledger.h"
#include "experiments/recovery.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

class Rebuild : public testing::Test {
 protected:
  // Seals an attempt as a trainer does, and enters it.
  void attempt(Ledger& ledger, const RunConfig& run, const std::string& status, double fid = 1.5) {
    const int number = ledger.start_attempt(run_id(run), "here", 1);
    AttemptRecord record = record_of(run, number, status, fid);
    write_attempt(attempt_dir(folder_.path(), run_id(run), number), record);
    ledger.finish_attempt(record);
  }
  // A ledger with a finished, rerun and failed run, one that was cut off and one that waits.
  void fill() {
    const cluster::Lease first = cluster::Lease::acquire(folder_.path());
    Ledger ledger = Ledger::open(folder_.path(), first.epoch());
    SweepFile sweep = two_runs();
    for (std::uint64_t seed = 2; seed < 5; ++seed) sweep.runs.push_back(run_with_seed(seed));
    ledger.register_sweep(sweep);
    attempt(ledger, run_with_seed(0), "done", 1.25);
    ledger.want_rerun(run_id(run_with_seed(0)).text());
    attempt(ledger, run_with_seed(0), "done", 2.25);
    attempt(ledger, run_with_seed(1), "failed");
    attempt(ledger, run_with_seed(1), "done");
    attempt(ledger, run_with_seed(2), "failed");
    const int begun = ledger.start_attempt(run_id(run_with_seed(3)), "here", 0);
    AttemptRecord record = record_of(run_with_seed(3), begun, "running");
    record.cause = {};
    note_start(attempt_dir(folder_.path(), run_id(run_with_seed(3)), begun), record);
    ledger.cancel(run_id(run_with_seed(4)).text());
    ledger.publish();
  }
  std::vector<Rows> shown() const {
    std::vector<Rows> all;
    for (const char* sql :
         {"SELECT * FROM results ORDER BY run_id",
          "SELECT run_id, metric, value, standard_error, n_generated FROM metrics ORDER BY 1, 2",
          "SELECT run_id, attempt, epoch, status, host, slot, cause_kind, cause_message, "
          "exit_code, "
          "signal, log_tail, seconds, result_sha256, rerun_of FROM attempts ORDER BY 1, 2",
          "SELECT sweep, file FROM sweeps", "SELECT * FROM sweep_runs ORDER BY 1, 2",
          "SELECT run_id, text FROM events WHERE kind = 'rerun_mismatch'"})
      all.push_back(published(folder_.path(), sql));
    return all;
  }
  // As the next command finds it.
  void start_again() {
    lease_.emplace(cluster::Lease::acquire(folder_.path()));
    Ledger ledger = Ledger::open(folder_.path(), lease_->epoch());
    recover(ledger, folder_.path());
    ledger.publish();
  }
  cluster::TemporaryFolder folder_;
  std::optional<cluster::Lease> lease_;
};

TEST_F(Rebuild, BringsEveryRowBack) {
  fill();
  start_again();
  const auto before = shown();
  ASSERT_EQ(before[0].size(), 5u);
  ASSERT_EQ(before[2].size(), 6u);
  ASSERT_EQ(before[5].size(), 1u);
  for (const char* file : {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"})
    fs::remove(folder_.path() / file);
  const RebuildReport report = rebuild(folder_.path(), *lease_);
  EXPECT_EQ(report.runs, 4);
  EXPECT_EQ(report.attempts, 6);
  EXPECT_EQ(report.skipped, 0);
  EXPECT_EQ(report.from_published, 1);
  EXPECT_TRUE(report.kept_aside.empty());
  EXPECT_EQ(shown(), before);
}

TEST_F(Rebuild, NeedsNothingButTheRunFolders) {
  fill();
  start_again();
  const auto before = shown();
  fs::remove(folder_.path() / "ledger.sqlite");
  fs::remove(folder_.path() / "results.sqlite");
  rebuild(folder_.path(), *lease_);
  const auto after = shown();
  EXPECT_EQ(after[1], before[1]);  // metrics
  ASSERT_EQ(after[2].size(), before[2].size());
  EXPECT_EQ(published(folder_.path(), "SELECT seed, status FROM runs ORDER BY seed"),
            (Rows{{"0", "done"}, {"1", "done"}, {"2", "failed"}, {"3", "pending"}}));
  EXPECT_EQ(after[5], before[5]);
}

TEST_F(Rebuild, KeepsADamagedLedgerAside) {
  fill();
  start_again();
  const auto before = shown();
  cluster::write_file_durably(folder_.path() / "ledger.sqlite", std::string(9000, 'x'));
  const RebuildReport report = rebuild(folder_.path(), *lease_);
  EXPECT_EQ(shown(), before);
  EXPECT_EQ(cluster::read_file(report.kept_aside, 1 << 20), std::string(9000, 'x'));
}

TEST_F(Rebuild, LooksIntoRunYamlWhereARecordIsDamaged) {
  const RunConfig run = run_with_seed(0);
  const fs::path attempt = attempt_dir(folder_.path(), run_id(run), 1);
  cluster::create_directories_durably(attempt);
  cluster::write_file_durably(attempt / "run.yaml", to_yaml(run));
  cluster::write_file_durably(attempt / "attempt.json", "{\"run_id\": ");
  lease_.emplace(cluster::Lease::acquire(folder_.path()));
  EXPECT_EQ(rebuild(folder_.path(), *lease_).runs, 1);
  EXPECT_EQ(published(folder_.path(), "SELECT run_id, status FROM attempts"),
            (Rows{{run_id(run).text(), "interrupted"}}));
}

TEST_F(Rebuild, SkipsFoldersThatAreNoRun) {
  fill();
  fs::create_directories(folder_.path() / "runs" / "notes");
  fs::create_directories(folder_.path() / "runs" / std::string(64, 'a') / "attempt-1");
  // A record that lies in another run's folder.
  const RunConfig run = run_with_seed(7);
  write_attempt(folder_.path() / "runs" / std::string(64, 'b') / "attempt-1",
                record_of(run, 1, "done"));
  lease_.emplace(cluster::Lease::acquire(folder_.path()));
  const RebuildReport report = rebuild(folder_.path(), *lease_);
  EXPECT_EQ(report.skipped, 3);
  EXPECT_EQ(report.runs, 4);
}

}  // namespace
}  // namespace marquee::experiments
