// The ledger, what it publishes, and recovery from what attempts sealed.
#include "experiments/ledger.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/recovery.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

class Ledgers : public testing::Test {
 protected:
  Ledger open(std::uint64_t epoch = 1) const { return Ledger::open(folder_.path(), epoch); }
  std::vector<std::vector<std::string>> published(const std::string& sql) const {
    return experiments::published(folder_.path(), sql);
  }
  std::vector<std::string> columns(const std::string& table) const {
    std::vector<std::string> names;
    for (const auto& row : published("SELECT name FROM pragma_table_info('" + table + "')"))
      names.push_back(row[0]);
    return names;
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(Ledgers, PublishTheColumnsThatUsersAreToldOf) {
  Ledger ledger = open();
  ledger.publish();
  EXPECT_EQ(columns("results"), (std::vector<std::string>{"run_id",
                                                          "sweep",
                                                          "task",
                                                          "shots",
                                                          "method",
                                                          "seed",
                                                          "status",
                                                          "base",
                                                          "profile",
                                                          "protocol",
                                                          "prompt_kind",
                                                          "prompt_length",
                                                          "factors",
                                                          "conditions",
                                                          "marquee",
                                                          "steps",
                                                          "learning_rate",
                                                          "attempt",
                                                          "fid_mini",
                                                          "kid_mini",
                                                          "precision",
                                                          "recall",
                                                          "density",
                                                          "coverage",
                                                          "memorisation",
                                                          "label_accuracy",
                                                          "trainable_parameters",
                                                          "seconds",
                                                          "fid",
                                                          "kid",
                                                          "inception_score",
                                                          "fid_infinity",
                                                          "vendi",
                                                          "sfid",
                                                          "f_score",
                                                          "n_generated",
                                                          "n_reference",
                                                          "reference"}));
  EXPECT_EQ(columns("metrics"),
            (std::vector<std::string>{"run_id", "metric", "value", "standard_error", "n_generated",
                                      "n_reference", "protocol", "network_hash"}));
}

TEST_F(Ledgers, ShowAFinishedRunInOneRow) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  const int attempt = ledger.start_attempt(run_id(run_with_seed(0)), "here", 0);
  ledger.finish_attempt(record_of(run_with_seed(0), attempt, "done"));
  ledger.publish();
  EXPECT_EQ(
      published("SELECT sweep, seed, status, attempt, fid_mini, precision, recall, "
                "trainable_parameters FROM results ORDER BY seed"),
      (std::vector<std::vector<std::string>>{{"two", "0", "done", "1", "1.5", "0.5", "", "42"},
                                             {"two", "1", "pending", "", "", "", "", ""}}));
}

TEST_F(Ledgers, CommitABatchAsAWhole) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  ledger.begin_batch();
  const int attempt = ledger.start_attempt(run_id(run_with_seed(0)), "here", 0);
  ledger.finish_attempt(record_of(run_with_seed(0), attempt, "done"));
  ledger.start_attempt(run_id(run_with_seed(1)), "here", 0);
  ledger.commit_batch();
  ledger.publish();
  EXPECT_EQ(published("SELECT status FROM results ORDER BY seed"),
            (std::vector<std::vector<std::string>>{{"done"}, {"running"}}));
}

TEST_F(Ledgers, FillTheNextBatchWhileOneIsCommitted) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  ledger.begin_batch();
  const int attempt = ledger.start_attempt(run_id(run_with_seed(0)), "here", 0);
  EXPECT_TRUE(ledger.in_batch());
  EXPECT_THROW(ledger.publish(), cluster::Error);
  ledger.start_commit();
  EXPECT_FALSE(ledger.in_batch());
  EXPECT_TRUE(ledger.committing());
  EXPECT_THROW(ledger.publish(), cluster::Error);
  EXPECT_THROW(ledger.cancel(run_id(run_with_seed(1)).text()), cluster::Error);
  ledger.begin_batch();
  ledger.finish_attempt(record_of(run_with_seed(0), attempt, "done"));
  EXPECT_THROW(ledger.start_commit(), cluster::Error);
  ledger.finish_commit();
  EXPECT_FALSE(ledger.committing());
  ledger.start_commit();
  ledger.finish_commit();
  ledger.publish();
  EXPECT_EQ(published("SELECT status FROM results ORDER BY seed"),
            (std::vector<std::vector<std::string>>{{"done"}, {"pending"}}));
}

TEST_F(Ledgers, UndoABatchThatWasNotCommitted) {
  {
    Ledger ledger = open();
    ledger.register_sweep(two_runs());
    ledger.begin_batch();
    const int attempt = ledger.start_attempt(run_id(run_with_seed(0)), "here", 0);
    ledger.finish_attempt(record_of(run_with_seed(0), attempt, "done"));
  }
  Ledger ledger = open(2);
  ledger.publish();
  EXPECT_EQ(published("SELECT status FROM results ORDER BY seed"),
            (std::vector<std::vector<std::string>>{{"pending"}, {"pending"}}));
  EXPECT_TRUE(ledger.stale_attempts().empty());
}

TEST_F(Ledgers, RegisterASweepTwiceWithoutChange) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  ledger.finish_attempt(record_of(
      run_with_seed(0), ledger.start_attempt(run_id(run_with_seed(0)), "here", 0), "done"));
  ledger.register_sweep(two_runs());
  const auto states = ledger.states("two");
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].status, "done");
  EXPECT_EQ(states[1].status, "pending");
}

TEST_F(Ledgers, TakeTheSameRecordTwiceWithoutChange) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  const AttemptRecord record = record_of(
      run_with_seed(0), ledger.start_attempt(run_id(run_with_seed(0)), "here", 0), "done");
  ledger.finish_attempt(record);
  ledger.finish_attempt(record);
  ledger.publish();
  EXPECT_EQ(published("SELECT count(*) FROM metrics")[0][0], "2");
  EXPECT_EQ(published("SELECT count(*) FROM attempts")[0][0], "1");
}

TEST_F(Ledgers, KeepARunDoneWhateverComesLater) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  const RunId id = run_id(run_with_seed(0));
  const int first = ledger.start_attempt(id, "here", 0),
            second = ledger.start_attempt(id, "there", 1);
  ledger.finish_attempt(record_of(run_with_seed(0), first, "done"));
  ledger.finish_attempt(record_of(run_with_seed(0), second, "failed"));
  EXPECT_EQ(ledger.states("two")[0].status, "done");
  ledger.publish();
  EXPECT_EQ(published("SELECT attempt, fid_mini FROM results WHERE seed = 0"),
            (std::vector<std::vector<std::string>>{{std::to_string(first), "1.5"}}));
}

TEST_F(Ledgers, NumberAttemptsAboveEveryFolderThatIsThere) {
  Ledger ledger = open();
  ledger.register_sweep(two_runs());
  const RunId id = run_id(run_with_seed(0));
  std::filesystem::create_directories(attempt_dir(folder_.path(), id, 7));
  EXPECT_EQ(ledger.start_attempt(id, "here", 0), 8);
  EXPECT_EQ(ledger.start_attempt(id, "here", 0), 9);
}

TEST_F(Ledgers, PublishReadOnlyAndReplaceWhole) {
  Ledger ledger = open();
  ledger.publish();
  const auto file = folder_.path() / "results.sqlite";
  struct stat before {};
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  EXPECT_EQ(before.st_mode & 0777, 0444u);
  ledger.register_sweep(two_runs());
  EXPECT_EQ(published("SELECT count(*) FROM runs")[0][0], "0");
  ledger.publish();
  EXPECT_EQ(published("SELECT count(*) FROM runs")[0][0], "2");
}

TEST_F(Ledgers, AreRefusedASecondOpening) {
  const Ledger ledger = open();
  EXPECT_THROW(open(2), cluster::Error);
}

TEST_F(Ledgers, NameAFileThatIsNoDatabase) {
  cluster::write_file_durably(folder_.path() / "ledger.sqlite", std::string(4096, 'x'));
  try {
    open();
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("ledger.sqlite"), std::string::npos);
  }
}

TEST_F(Ledgers, TakeInWhatWasSealedBeforeTheCoordinatorDied) {
  const RunConfig run = run_with_seed(0);
  {
    Ledger ledger = open(1);
    ledger.register_sweep(two_runs());
    ASSERT_EQ(ledger.start_attempt(run_id(run), "here", 0), 1);
  }
  write_attempt(attempt_dir(folder_.path(), run_id(run), 1), record_of(run, 1, "done", 2.25));
  Ledger ledger = open(2);
  const RecoveryReport report = recover(ledger, folder_.path());
  EXPECT_EQ(report.taken_in, 1);
  EXPECT_EQ(report.interrupted, 0);
  EXPECT_EQ(ledger.states("two")[0].status, "done");
  EXPECT_EQ(recover(ledger, folder_.path()).taken_in, 0);
}

TEST_F(Ledgers, NameAttemptsThatWereCutOff) {
  {
    Ledger ledger = open(1);
    ledger.register_sweep(two_runs());
    ledger.start_attempt(run_id(run_with_seed(0)), "here", 0);
  }
  Ledger ledger = open(2);
  EXPECT_EQ(recover(ledger, folder_.path()).interrupted, 1);
  EXPECT_EQ(ledger.states("two")[0].status, "pending");
}

TEST(AttemptRecords, GoThroughTheirFile) {
  const cluster::TemporaryFolder folder;
  const AttemptRecord record = record_of(run_with_seed(3), 2, "done");
  write_attempt(folder.path(), record);
  EXPECT_EQ(to_json(read_attempt(folder.path())), to_json(record));
}

TEST(AttemptRecords, AreRefusedWhenTornOrDoneWithoutAResult) {
  const cluster::TemporaryFolder folder;
  AttemptRecord record = record_of(run_with_seed(3), 2, "failed");
  record.status = "done";
  write_attempt(folder.path(), record);
  EXPECT_THROW(read_attempt(folder.path()), cluster::Error);
  cluster::write_file_durably(folder.path() / "attempt.json", "{\"run_id\": \"");
  EXPECT_THROW(read_attempt(folder.path()), cluster::Error);
}

TEST(AttemptRecords, OfForeignFoldersAreSkipped) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(3);
  const auto runs = run_dir(folder.path(), run_id(run));
  for (const char* name : {"attempt-x", "attempt-", "attempt-99999999999", "other"})
    std::filesystem::create_directories(runs / name);
  write_attempt(attempt_dir(folder.path(), run_id(run), 1), record_of(run, 1, "failed"));
  write_attempt(attempt_dir(folder.path(), run_id(run), 2), record_of(run, 1, "failed"));  // a copy
  const auto records = scan_attempts(runs);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].attempt, 1);
}

}  // namespace
}  // namespace marquee::experiments
