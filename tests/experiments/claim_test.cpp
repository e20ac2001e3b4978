// Claims on runs, and that what was begun under an older one is not taken in.
#include "experiments/claim.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "experiments/brief_hold.h"
#include "experiments/single_run.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

class Claims : public testing::Test {
 protected:
  std::optional<cluster::Lease> claim(double stale_after_seconds = 60) {
    return try_claim(folder_.path(), id_, watch_, stale_after_seconds);
  }
  // As another host's worker leaves it behind.
  void leave_elsewhere(std::uint64_t epoch) const {
    fs::create_directories(folder_.path() / "claims");
    cluster::write_file_durably(
        claim_file(folder_.path(), id_),
        R"({"host":"elsewhere.invalid","pid":1,"process_start":1,"sequence":4,"epoch":)" +
            std::to_string(epoch) + R"(,"released":false,"role":"run"})");
  }
  void seal(int attempt, std::uint64_t under) const {
    AttemptRecord record = record_of(run_, attempt, "done");
    record.epoch = 0;
    record.claim = under;
    write_attempt(attempt_dir(folder_.path(), id_, attempt), record);
  }
  std::vector<std::vector<std::string>> shown(const std::string& sql) const {
    return published(folder_.path(), sql);
  }

  cluster::TemporaryFolder folder_;
  const RunConfig run_ = run_with_seed(0);
  const RunId id_ = run_id(run_);
  cluster::LeaseWatch watch_;
};

TEST_F(Claims, AreForOne) {
  EXPECT_EQ(cluster::read_lease_file(claim_file(folder_.path(), id_)).epoch, 0u);
  auto mine = claim();
  ASSERT_TRUE(mine.has_value());
  EXPECT_EQ(cluster::read_lease_file(claim_file(folder_.path(), id_)).epoch, 1u);
  EXPECT_FALSE(claim().has_value());
  ASSERT_EQ(open_claims(folder_.path()).size(), 1u);
  EXPECT_EQ(open_claims(folder_.path()).front().run_id, id_.text());
  mine->release();
  EXPECT_TRUE(open_claims(folder_.path()).empty());
  EXPECT_EQ(claim()->epoch(), 2u);
}

TEST_F(Claims, OfManyAtOnceOneGetsEach) {
  constexpr int kMany = 6;
  for (int round = 0; round < 5; ++round) {
    int answers[2], over[2];
    ASSERT_EQ(pipe(answers), 0);
    ASSERT_EQ(pipe(over), 0);
    for (int i = 0; i < kMany; ++i) {
      if (fork() != 0) continue;
      cluster::LeaseWatch watch;
      const auto mine = try_claim(folder_.path(), id_, watch, 60);
      char answer = mine ? '1' : '0';
      close(over[1]);
      if (write(answers[1], &answer, 1) == 1 && read(over[0], &answer, 1) == 0) _exit(0);
      _exit(1);  // all have answered; without giving it back
    }
    std::string won(kMany, '?');
    for (char& answer : won) ASSERT_EQ(read(answers[0], &answer, 1), 1);
    for (const int end : {answers[0], answers[1], over[0], over[1]}) close(end);
    for (int i = 0; i < kMany; ++i) wait(nullptr);
    EXPECT_EQ(std::count(won.begin(), won.end(), '1'), 1) << "round " << round << ": " << won;
  }
}

TEST_F(Claims, OfAnotherHostAreTakenOverWhenTheyStandStill) {
  leave_elsewhere(3);
  EXPECT_FALSE(claim(0.2).has_value());
  usleep(250'000);
  const auto mine = claim(0.2);
  ASSERT_TRUE(mine.has_value());
  EXPECT_EQ(mine->epoch(), 4u);
}

TEST_F(Claims, OthersFilesAreNoClaims) {
  fs::create_directories(folder_.path() / "claims");
  std::ofstream(folder_.path() / "claims" / "notes.txt") << "x";
  std::ofstream(folder_.path() / "claims" / std::string(64, 'a')) << "{broken";
  EXPECT_TRUE(open_claims(folder_.path()).empty());
}

TEST_F(Claims, ACoordinatorWaitsForThem) {
  cluster::LeaseOptions options;
  options.stale_after_seconds = 0.3;
  options.give_up_after_seconds = 20;
  options.poll_seconds = 0.05;
  int waits = 0;
  wait_for_claims(folder_.path(), options, [&] { ++waits; });
  EXPECT_EQ(waits, 0) << "nothing to wait for";
  leave_elsewhere(1);
  wait_for_claims(folder_.path(), options, [&] { ++waits; });
  EXPECT_GT(waits, 2);
  options.stale_after_seconds = 3600;
  options.give_up_after_seconds = 0.1;
  try {
    wait_for_claims(folder_.path(), options, [] {});
    FAIL() << "went on beside a claim";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::busy);
    EXPECT_NE(std::string(error.what()).find("elsewhere.invalid"), std::string::npos);
  }
}

TEST_F(Claims, ACoordinatorIsRefusedAtOnceBesideAWorkerOfItsHost) {
  const auto mine = claim();
  const double began = cluster::monotonic_seconds();
  EXPECT_THROW(wait_for_claims(folder_.path(), {}, [] {}), cluster::Error);
  EXPECT_LT(cluster::monotonic_seconds() - began, 1.0);
}

TEST_F(Claims, OfTwoResultsTheFirstThatComesCounts) {
  for (const auto& [first, second] : {std::pair{1, 2}, std::pair{2, 1}}) {
    fs::remove_all(folder_.path() / "runs");
    fs::remove(folder_.path() / "ledger.sqlite");
    { Ledger::open(folder_.path(), 100).register_run(run_); }
    seal(first, static_cast<std::uint64_t>(first));
    hand_in(folder_.path(), id_, first);
    seal(second, static_cast<std::uint64_t>(second));
    hand_in(folder_.path(), id_, second);
    EXPECT_EQ(shown("SELECT attempt FROM attempts WHERE status = 'done'"),
              (std::vector<std::vector<std::string>>{{std::to_string(first)}}));
    hand_in(folder_.path(), id_, second);  // every later look finds it again
    EXPECT_EQ(shown("SELECT count(*) FROM attempts WHERE status = 'done'")[0][0], "1");
    EXPECT_EQ(shown("SELECT count(*) FROM events WHERE kind = 'attempt_refused'")[0][0], "1");
  }
}

TEST_F(Claims, ARerunCountsBesideWhatItIsWantedAfter) {
  { Ledger::open(folder_.path(), 100).register_run(run_); }
  seal(1, 1);
  hand_in(folder_.path(), id_, 1);
  AttemptRecord again = record_of(run_, 2, "done");
  again.epoch = 0;
  again.claim = 2;
  again.rerun_of = 1;
  write_attempt(attempt_dir(folder_.path(), id_, 2), again);
  EXPECT_EQ(read_attempt(attempt_dir(folder_.path(), id_, 2)).rerun_of, 1);
  hand_in(folder_.path(), id_, 2);
  EXPECT_EQ(shown("SELECT attempt FROM results"), (std::vector<std::vector<std::string>>{{"2"}}));
}

TEST_F(Claims, AResultOfACutOffAttemptIsNotTakenInAfterAnother) {
  {
    Ledger ledger = Ledger::open(folder_.path(), 1);
    ledger.register_run(run_);
    ledger.start_attempt(id_, "partitioned", 0);
    ledger.finish_attempt(record_of(run_, 1, "interrupted"));
    ledger.start_attempt(id_, "here", 0);
  }
  seal(2, 0);
  hand_in(folder_.path(), id_, 2);
  seal(1, 0);  // its trainer went on
  hand_in(folder_.path(), id_, 1);
  EXPECT_EQ(shown("SELECT attempt FROM attempts WHERE status = 'done'"),
            (std::vector<std::vector<std::string>>{{"2"}}));
  EXPECT_EQ(shown("SELECT count(*) FROM events WHERE kind = 'attempt_refused'")[0][0], "1");
}

TEST_F(Claims, TheRecordKeepsTheClaim) {
  seal(1, 9);
  EXPECT_EQ(read_attempt(attempt_dir(folder_.path(), id_, 1)).claim, 9u);
  EXPECT_EQ(to_json(record_of(run_, 1, "done")).count("claim"), 0u) << "of a coordinator's";
}

}  // namespace
}  // namespace marquee::experiments
