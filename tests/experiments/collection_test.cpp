#include "experiments/collection.h"

#include <set>
#include <stdexcept>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_of_test.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

class Collection : public testing::Test {
 protected:
  // Files and folders below the run's folder.
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(run_)) {
      if (entry.is_regular_file()) names.insert(fs::relative(entry.path(), run_).string());
    }
    return names;
  }
  cluster::TemporaryFolder folder_;
  fs::path run_ = folder_.path() / std::string(64, 'a');
};

using Names = std::set<std::string>;

TEST_F(Collection, KeepsTheTwoNewestValidCheckpointsOfARunThatIsNotDone) {
  write_checkpoint_file(run_, 1, 50);
  write_checkpoint_file(run_, 1, 100);
  write_checkpoint_file(run_, 2, 150);
  write_checkpoint_file(run_, 2, 200, /*valid=*/false);
  KeepPolicy none;
  none.checkpoints = 0;  // says nothing about runs that are not done
  collect_run(run_, none, RunStanding::unfinished);
  EXPECT_EQ(files(), (Names{"attempt-1/checkpoint-100.h5", "attempt-2/checkpoint-150.h5"}));
}

TEST_F(Collection, LeavesARunWithARunningAttemptAlone) {
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step);
  write_bytes(run_ / "attempt-1" / ".result.h5.tmp-1-0", "half");
  collect_run(run_, {}, RunStanding::running);
  EXPECT_EQ(files().size(), 4u);
}

TEST_F(Collection, KeepsTheNewestValidCheckpointOfAFinishedRun) {
  write_checkpoint_file(run_, 1, 50);
  write_checkpoint_file(run_, 1, 100);
  write_checkpoint_file(run_, 2, 150);
  write_checkpoint_file(run_, 2, 200, /*valid=*/false);
  write_bytes(run_ / "attempt-2" / "samples.png", "picture");
  seal_attempt(run_, 2, "done");
  EXPECT_GT(collect_run(run_, {}, RunStanding::done), 3 * 512);
  EXPECT_EQ(files(), (Names{"attempt-2/checkpoint-150.h5", "attempt-2/samples.png",
                            "attempt-2/attempt.json"}));
}

TEST_F(Collection, KeepsAsManyAsThePolicySays) {
  const std::vector<std::pair<int, std::size_t>> kept{{0, 0}, {1, 1}, {2, 2},
                                                      {3, 3}, {9, 3}, {KeepPolicy::kAll, 3}};
  for (const auto& [wanted, left] : kept) {
    for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step);
    seal_attempt(run_, 1, "done");
    KeepPolicy policy;
    policy.checkpoints = wanted;
    collect_run(run_, policy, RunStanding::done);
    EXPECT_EQ(checkpoints_of_run(run_).size(), left) << wanted;
    if (left > 0) {
      EXPECT_EQ(checkpoints_of_run(run_).front().step, 150);
    }
  }
}

TEST_F(Collection, KeepsEveryCheckpointWhereNoneIsWhole) {
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step, false);
  seal_attempt(run_, 1, "done");
  collect_run(run_, {}, RunStanding::done);
  collect_run(run_, {}, RunStanding::unfinished);
  EXPECT_EQ(files().size(), 3u + 1);
}

TEST_F(Collection, RemovesSamplesOnlyWhereThePolicySaysSo) {
  write_bytes(run_ / "attempt-1" / "samples.png", "picture");
  seal_attempt(run_, 1, "done");
  KeepPolicy policy;
  policy.samples = false;
  collect_run(run_, policy, RunStanding::unfinished);
  collect_run(run_, {}, RunStanding::done);
  EXPECT_EQ(files().size(), 2u);
  collect_run(run_, policy, RunStanding::done);
  EXPECT_EQ(files(), Names{"attempt-1/attempt.json"});
}

TEST_F(Collection, RemovesOlderAttemptsButNotTheOneThatCountsNorNewerOnes) {
  for (const int number : {1, 2, 3, 4}) {
    write_bytes(attempt_folder_of(run_, number) / "log", "words");
    seal_attempt(run_, number, number == 3 ? "done" : "failed");
  }
  KeepPolicy policy;
  policy.failed_attempts = false;
  collect_run(run_, policy, RunStanding::unfinished);
  EXPECT_EQ(attempt_numbers(run_), (std::vector<int>{1, 2, 3, 4}));
  collect_run(run_, policy, RunStanding::done);
  EXPECT_EQ(attempt_numbers(run_), (std::vector<int>{3, 4}));
  EXPECT_EQ(files().size(), 4u) << "nothing is left aside";
}

TEST_F(Collection, KeepsWhatAnAttemptAfterTheOneThatCountsGoesOnFrom) {
  write_checkpoint_file(run_, 1, 300);
  seal_attempt(run_, 1, "done");
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 2, step);
  seal_attempt(run_, 2, "interrupted");
  KeepPolicy none;
  none.checkpoints = 0;
  collect_run(run_, none, RunStanding::done);
  EXPECT_EQ(files(), (Names{"attempt-1/attempt.json", "attempt-2/attempt.json",
                            "attempt-2/checkpoint-100.h5", "attempt-2/checkpoint-150.h5"}));
}

TEST_F(Collection, LeavesAnAttemptAloneWhoseRecordSaysRunning) {
  write_bytes(run_ / "attempt-1" / ".result.h5.tmp-1-0", "half");
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step);
  seal_attempt(run_, 1, "running");
  const Names before = files();
  collect_run(run_, {}, RunStanding::unfinished);
  EXPECT_EQ(files(), before);
  // A result after it: whoever runs there has lost.
  seal_attempt(run_, 2, "done");
  collect_run(run_, {}, RunStanding::done);
  EXPECT_EQ(files(), (Names{"attempt-1/attempt.json", "attempt-1/checkpoint-150.h5",
                            "attempt-2/attempt.json"}));
}

TEST_F(Collection, TreatsADoneRunWithoutASealedRecordAsUnfinished) {
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step);
  collect_run(run_, {}, RunStanding::done);
  EXPECT_EQ(checkpoints_of_run(run_).size(), 2u);
}

TEST_F(Collection, RemovesNoAttemptWhereNoneIsSealedAsDone) {
  for (const int number : {1, 2}) seal_attempt(run_, number, "failed");
  KeepPolicy policy;
  policy.failed_attempts = false;
  collect_run(run_, policy, RunStanding::done);
  EXPECT_EQ(attempt_numbers(run_), (std::vector<int>{1, 2}));
}

TEST_F(Collection, KeepsAnOlderAttemptThatHoldsTheKeptCheckpoint) {
  write_checkpoint_file(run_, 1, 100);
  seal_attempt(run_, 1, "failed");
  seal_attempt(run_, 2, "done");
  KeepPolicy policy;
  policy.failed_attempts = false;
  collect_run(run_, policy, RunStanding::done);
  EXPECT_EQ(attempt_numbers(run_), (std::vector<int>{1, 2}));
  policy.checkpoints = 0;
  collect_run(run_, policy, RunStanding::done);
  EXPECT_EQ(attempt_numbers(run_), (std::vector<int>{2}));
}

TEST_F(Collection, RemovesWhatDeadProcessesLeft) {
  write_bytes(run_ / "attempt-1" / ".result.h5.tmp-77-0", "half");
  write_bytes(run_ / ".removed-attempt-9" / "log", "rest");
  write_bytes(run_ / "attempt-1" / "notes.txt", "a person's");
  collect_run(run_, {}, RunStanding::unfinished);
  EXPECT_EQ(files(), Names{"attempt-1/notes.txt"});
  EXPECT_FALSE(fs::exists(run_ / ".removed-attempt-9"));
}

TEST_F(Collection, OfARunWithoutAFolderIsNothing) {
  EXPECT_TRUE(plan_collection(run_, {}, RunStanding::done).empty());
}

TEST_F(Collection, ChangesNothingWhilePlanning) {
  for (const int step : {50, 100, 150}) write_checkpoint_file(run_, 1, step);
  seal_attempt(run_, 1, "done");
  const Names before = files();
  const std::vector<Removal> plan = plan_collection(run_, {}, RunStanding::done);
  EXPECT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].bytes, static_cast<std::int64_t>(fs::file_size(plan[0].path)));
  EXPECT_EQ(files(), before);
}

// Attempt 1 is done, but the run is wanted again; attempt 2 was killed on its way.
TEST_F(Collection, KeepsWhatARunGoesOnFromAlthoughAnOlderAttemptIsFarther) {
  for (const int step : {150, 200}) write_checkpoint_file(run_, 1, step);
  seal_attempt(run_, 1, "done");
  write_checkpoint_file(run_, 2, 100);
  const auto before = newest_valid_checkpoint(run_);
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(before->attempt, 2);
  collect_run(run_, {}, RunStanding::unfinished);
  const auto after = newest_valid_checkpoint(run_);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->path, before->path);
}

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

// A random run folder: attempts with checkpoints whole and torn, records and left-overs.
void make_random_run(const fs::path& run) {
  const int attempts = *rc::gen::inRange(1, 4);
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    write_bytes(attempt_folder_of(run, attempt) / "log", "words");
    for (int step = 50; step <= 250; step += 50) {
      if (*rc::gen::arbitrary<bool>())
        write_checkpoint_file(run, attempt, step, *rc::gen::arbitrary<bool>());
    }
    const char* record = *rc::gen::element("", "done", "failed", "interrupted", "running");
    if (*record != '\0') seal_attempt(run, attempt, record);
    if (*rc::gen::arbitrary<bool>())
      write_bytes(attempt_folder_of(run, attempt) / ".x.tmp-1-0", "half");
  }
}

std::optional<int> newest_done(const fs::path& run) {
  std::optional<int> newest;
  for (const AttemptRecord& record : scan_attempts(run))
    if (record.status == "done") newest = record.attempt;
  return newest;
}

// Newest valid checkpoint of the attempts above `attempt`, which a resuming attempt would take.
std::optional<fs::path> newest_valid_above(const fs::path& run, int attempt) {
  for (const CheckpointFile& file : checkpoints_of_run(run))
    if (file.attempt > attempt && cluster::has_valid_seal(file.path)) return file.path;
  return std::nullopt;
}

// For any folder and policy, a kill between any two changes, and the collection after it: the
// newest valid checkpoint of a run that is not done stays, so does the attempt that counts.
TEST_F(Collection, LosesNothingThatCountsWhereverItIsKilled) {
  const bool holds = rc::check("killed between any two changes", [this] {
    fs::remove_all(run_);
    fs::create_directories(run_);
    make_random_run(run_);
    KeepPolicy policy;
    policy.checkpoints = *rc::gen::inRange(0, 4);
    policy.samples = *rc::gen::arbitrary<bool>();
    policy.failed_attempts = *rc::gen::arbitrary<bool>();
    const auto counts = newest_done(run_);
    const bool done = counts.has_value() && *rc::gen::arbitrary<bool>();
    const RunStanding standing = done ? RunStanding::done : RunStanding::unfinished;
    // Checkpoints above this attempt are gone on from; those up to it have a result behind them.
    const int finished = done ? *counts : 0;
    const auto open = newest_valid_above(run_, finished);
    const auto any = newest_valid_checkpoint(run_);
    const int survived = *rc::gen::inRange(0, 12);

    int changes = 0;
    const auto check = [&] {
      RC_ASSERT(newest_done(run_) == counts);
      RC_ASSERT(newest_valid_above(run_, finished) == open);
      if (policy.checkpoints > 0) {
        const auto now = newest_valid_checkpoint(run_);
        RC_ASSERT(now.has_value() == any.has_value());
        if (any) RC_ASSERT(now->path == any->path);
      }
    };
    try {
      collect_run(run_, policy, standing, [&] {
        if (changes++ == survived) throw Killed();
      });
    } catch (const Killed&) {
    }
    check();
    collect_run(run_, policy, standing);
    check();
    // And there is nothing left to collect.
    RC_ASSERT(plan_collection(run_, policy, standing).empty());
  });
  EXPECT_TRUE(holds);
}

TEST(KeepPolicy, IsSetByWordsAndRefusesOthers) {
  KeepPolicy policy;
  set_keep(policy, "checkpoints", "none");
  EXPECT_EQ(policy.checkpoints, 0);
  set_keep(policy, "checkpoints", "all");
  EXPECT_EQ(policy.checkpoints, KeepPolicy::kAll);
  set_keep(policy, "checkpoints", "7");
  EXPECT_EQ(policy.checkpoints, 7);
  set_keep(policy, "checkpoints", "last");
  set_keep(policy, "samples", "all");
  set_keep(policy, "attempts", "all");
  EXPECT_EQ(policy, KeepPolicy{});
  for (const auto& [key, word] :
       std::vector<std::pair<std::string, std::string>>{{"checkpoints", "-1"},
                                                        {"checkpoints", "1.5"},
                                                        {"checkpoints", "1001"},
                                                        {"checkpoints", ""},
                                                        {"samples", "some"},
                                                        {"attempts", "failed"}}) {
    try {
      set_keep(policy, key, word);
      ADD_FAILURE() << key << " " << word;
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("'" + key + "'"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace marquee::experiments
