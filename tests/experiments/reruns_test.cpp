// Which attempt of a run counts, what a rerun and a cancellation do to a run's state.
#include <gtest/gtest.h>

#include "experiments/ledger.h"
#include "experiments/recovery.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

using Rows = std::vector<std::vector<std::string>>;

class Reruns : public testing::Test {
 protected:
  Reruns() { ledger_.register_sweep(two_runs()); }

  // The next attempt of the run, from start to end.
  int attempt(const std::string& status, double fid = 1.5) {
    const int number = ledger_.start_attempt(id_, "here", 0);
    EXPECT_TRUE(ledger_.finish_attempt(record_of(run_, number, status, fid)));
    return number;
  }
  std::string status() const { return ledger_.status(id_.text()); }
  Rows shown(const std::string& sql) {
    ledger_.publish();
    return published(folder_.path(), sql);
  }

  cluster::TemporaryFolder folder_;
  const RunConfig run_ = run_with_seed(0);
  const RunId id_ = run_id(run_);
  Ledger ledger_ = Ledger::open(folder_.path(), 1);
};

TEST_F(Reruns, CountTheNewestFinishedAttempt) {
  attempt("done", 1.5);
  ASSERT_TRUE(ledger_.want_rerun(id_.text()));
  attempt("done", 2.5);
  EXPECT_EQ(shown("SELECT attempt, fid_mini, status FROM results WHERE seed = 0"),
            (Rows{{"2", "2.5", "done"}}));
  EXPECT_EQ(shown("SELECT metric, value FROM metrics ORDER BY metric"),
            (Rows{{"fid_mini", "2.5"}, {"precision", "0.5"}}));
  EXPECT_EQ(shown("SELECT attempt, rerun_of FROM attempts ORDER BY attempt"),
            (Rows{{"1", ""}, {"2", "1"}}));
}

TEST_F(Reruns, KeepTheOldValuesUntilTheNewAttemptIsDone) {
  attempt("done", 1.5);
  ASSERT_TRUE(ledger_.want_rerun(id_.text()));
  EXPECT_EQ(status(), "pending");
  const int second = ledger_.start_attempt(id_, "here", 0);
  EXPECT_EQ(status(), "running");
  EXPECT_EQ(shown("SELECT attempt, fid_mini FROM results WHERE seed = 0"), (Rows{{"1", "1.5"}}));
  EXPECT_EQ(shown("SELECT seeds, fid_mini FROM leaderboard"), (Rows{{"1", "1.5"}}));
  ledger_.finish_attempt(record_of(run_, second, "failed"));
  EXPECT_EQ(status(), "failed");
  EXPECT_EQ(shown("SELECT seeds, fid_mini FROM leaderboard"), (Rows{{"1", "1.5"}}));
}

TEST_F(Reruns, AreWantedOfRunsThatNeitherWaitNorRun) {
  EXPECT_FALSE(ledger_.want_rerun(id_.text()));
  const int first = ledger_.start_attempt(id_, "here", 0);
  EXPECT_FALSE(ledger_.want_rerun(id_.text()));
  ledger_.finish_attempt(record_of(run_, first, "failed"));
  EXPECT_EQ(status(), "failed");
  EXPECT_TRUE(ledger_.want_rerun(id_.text()));
  EXPECT_EQ(status(), "pending");
  EXPECT_FALSE(ledger_.want_rerun(std::string(64, 'a')));
}

TEST(Leaderboard, AveragesSeedsAndNeverVariants) {
  const cluster::TemporaryFolder folder;
  SweepFile sweep = two_runs();
  sweep.runs = {run_with_seed(0), run_with_seed(1)};
  for (const std::uint64_t seed : {0, 1}) {
    RunConfig variant = run_with_seed(seed);
    variant.decode_steps += 1;
    sweep.runs.push_back(variant);
  }
  Ledger ledger = Ledger::open(folder.path(), 1);
  ledger.register_sweep(sweep);
  double fid = 1;
  for (const RunConfig& run : sweep.runs) {
    const int number = ledger.start_attempt(run_id(run), "here", 0);
    ASSERT_TRUE(ledger.finish_attempt(record_of(run, number, "done", fid)));
    fid *= 2;
  }
  ledger.publish();
  EXPECT_EQ(published(folder.path(), "SELECT seeds, fid_mini FROM leaderboard ORDER BY fid_mini"),
            (Rows{{"2", "1.5"}, {"2", "6.0"}}));
}

TEST(Rerun, SurvivesTheDeathOfItsCoordinator) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(0);
  {
    Ledger ledger = Ledger::open(folder.path(), 1);
    ledger.register_run(run);
    ledger.finish_attempt(
        record_of(run, ledger.start_attempt(run_id(run), "here", 0), "done", 1.5));
    ledger.want_rerun(run_id(run).text());
    ledger.start_attempt(run_id(run), "here", 0);
  }
  Ledger ledger = Ledger::open(folder.path(), 2);
  recover(ledger, folder.path());
  EXPECT_EQ(ledger.status(run_id(run).text()), "pending");
  ledger.finish_attempt(record_of(run, ledger.start_attempt(run_id(run), "there", 0), "done", 1.5));
  EXPECT_EQ(ledger.status(run_id(run).text()), "done");
  ledger.publish();
  EXPECT_EQ(published(folder.path(),
                      "SELECT attempt, status, host, started IS NOT NULL "
                      "FROM attempts ORDER BY attempt"),
            (Rows{{"1", "done", "here", "1"},
                  {"2", "interrupted", "here", "1"},
                  {"3", "done", "here", "1"}}));
}

TEST_F(Reruns, NameBothAttemptsWhenTheyDiffer) {
  attempt("done", 1.5);
  attempt("done", 1.5);
  EXPECT_EQ(shown("SELECT count(*) FROM events WHERE kind = 'rerun_mismatch'"), (Rows{{"0"}}));
  attempt("done", 2.5);
  AttemptRecord other = record_of(run_, ledger_.start_attempt(id_, "here", 0), "done", 2.5);
  other.result->prompt_sha256 = std::string(64, 'c');
  other.result->fingerprint = {{"device", "another"}};
  ledger_.finish_attempt(other);
  EXPECT_EQ(shown("SELECT run_id, text FROM events WHERE kind = 'rerun_mismatch' ORDER BY event"),
            (Rows{{id_.text(), "attempts 2 and 3 differ in fid_mini; their fingerprints are equal"},
                  {id_.text(),
                   "attempts 3 and 4 differ in prompt_sha256; their fingerprints differ too"}}));
}

TEST_F(Reruns, AreComparedInWhateverOrderTheyAreTakenIn) {
  ledger_.finish_attempt(record_of(run_, 2, "done", 2.5));
  ledger_.finish_attempt(record_of(run_, 1, "done", 1.5));
  EXPECT_EQ(shown("SELECT attempt, fid_mini FROM results WHERE seed = 0"), (Rows{{"2", "2.5"}}));
  EXPECT_EQ(shown("SELECT text FROM events WHERE kind = 'rerun_mismatch'"),
            (Rows{{"attempts 1 and 2 differ in fid_mini; their fingerprints are equal"}}));
}

TEST_F(Reruns, TakeASealedResultAlsoOfAnAttemptThatWasTakenForCutOff) {
  const int first = ledger_.start_attempt(id_, "here", 0);
  ledger_.finish_attempt(record_of(run_, first, "interrupted"));
  EXPECT_TRUE(ledger_.finish_attempt(record_of(run_, first, "done")));
  EXPECT_EQ(status(), "done");
  EXPECT_FALSE(ledger_.finish_attempt(record_of(run_, first, "failed")));
  EXPECT_EQ(status(), "done");
}

TEST_F(Reruns, CanBeTakenBack) {
  attempt("done", 1.5);
  ledger_.want_rerun(id_.text());
  EXPECT_TRUE(ledger_.cancel(id_.text()));
  EXPECT_EQ(status(), "done");
}

TEST_F(Reruns, TakeCancelledRunsUpAgain) {
  EXPECT_TRUE(ledger_.cancel(id_.text()));
  EXPECT_EQ(status(), "cancelled");
  EXPECT_FALSE(ledger_.cancel(id_.text()));
  EXPECT_TRUE(ledger_.want_rerun(id_.text()));
  EXPECT_EQ(status(), "pending");
}

TEST_F(Reruns, CancelARunningRunWhenItEnds) {
  const int first = ledger_.start_attempt(id_, "here", 0);
  EXPECT_TRUE(ledger_.cancel(id_.text()));
  EXPECT_EQ(status(), "running");
  ledger_.finish_attempt(record_of(run_, first, "interrupted"));
  EXPECT_EQ(status(), "cancelled");
}

TEST_F(Reruns, KeepARunDoneThatFinishedBeforeItCouldBeStopped) {
  const int first = ledger_.start_attempt(id_, "here", 0);
  ledger_.cancel(id_.text());
  ledger_.finish_attempt(record_of(run_, first, "done"));
  EXPECT_EQ(status(), "done");
}

TEST_F(Reruns, LeaveFinishedRunsAlone) {
  attempt("done");
  EXPECT_FALSE(ledger_.cancel(id_.text()));
  EXPECT_FALSE(ledger_.cancel(std::string(64, 'a')));
  EXPECT_EQ(status(), "done");
}

}  // namespace
}  // namespace marquee::experiments
