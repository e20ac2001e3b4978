#include "experiments/checkpoint_files.h"

#include <gtest/gtest.h>

#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_of_test.h"

namespace marquee::experiments {
namespace {

TEST(CheckpointFiles, AreKnownByTheirName) {
  EXPECT_EQ(checkpoint_step(checkpoint_name(0)), 0);
  EXPECT_EQ(checkpoint_step("checkpoint-123456.h5"), 123456);
  for (const char* name :
       {"checkpoint-.h5", "checkpoint-1.h5.tmp", ".checkpoint-1.h5.tmp-2-3", "checkpoint--1.h5",
        "checkpoint-1x.h5", "checkpoint-1234567890123.h5", "result.h5", "checkpoint-h5", ""})
    EXPECT_FALSE(checkpoint_step(name)) << name;
}

TEST(CheckpointFiles, ComeNewestFirstOverAllAttempts) {
  const cluster::TemporaryFolder folder;
  const auto run = folder.path() / "run";
  write_checkpoint_file(run, 1, 100);
  write_checkpoint_file(run, 2, 50);
  write_checkpoint_file(run, 10, 100);
  write_bytes(run / "attempt-1" / "result.h5", "");
  std::vector<std::pair<std::int64_t, int>> order;
  for (const CheckpointFile& file : checkpoints_of_run(run))
    order.emplace_back(file.step, file.attempt);
  EXPECT_EQ(order, (std::vector<std::pair<std::int64_t, int>>{{100, 10}, {100, 1}, {50, 2}}));
  EXPECT_TRUE(checkpoints_of_run(folder.path() / "none").empty());
}

TEST(CheckpointFiles, TheNewestValidOneIsFoundBehindTornOnes) {
  const cluster::TemporaryFolder folder;
  const auto run = folder.path() / "run";
  EXPECT_FALSE(newest_valid_checkpoint(run));
  const auto valid = write_checkpoint_file(run, 1, 50);
  write_checkpoint_file(run, 1, 100, /*valid=*/false);
  write_checkpoint_file(run, 2, 150, /*valid=*/false);
  ASSERT_TRUE(newest_valid_checkpoint(run));
  EXPECT_EQ(newest_valid_checkpoint(run)->path, valid);
  EXPECT_EQ(newest_valid_checkpoint(run)->attempt, 1);
}

}  // namespace
}  // namespace marquee::experiments
