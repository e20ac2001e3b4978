// Checkpoints under everything that a disk may do: cut off, flipped bits, full, failing. Never
// wrong bytes: what is not whole is found and the checkpoint before it is used.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/workers/tiny_base.h"
#include "workers/tuning/checkpoint.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kSealedFrom = 512;  // the user block holds the seal and padding
constexpr std::int64_t kOlder = 20, kNewer = 40;

// A run in the middle of tuning: every number depends on the step.
struct Snapshot {
  ParameterMap trained;
  TuningState state;
};

Snapshot snapshot_at(std::int64_t step) {
  const at::Generator chance = at::detail::createCPUGenerator(static_cast<std::uint64_t>(step));
  const auto tensors = [&] {
    ParameterMap map;
    map["prompt/factors"] = torch::randn({8, 16, 48}, chance);
    map["prompt/kernel"] = torch::randn({48, 96}, chance);
    map["head/bias"] = torch::randn({96}, chance);
    return map;
  };
  Snapshot snapshot{tensors(), {step, {tensors(), tensors(), step}, {}}};
  for (std::int64_t i = 0; i < step; ++i)
    snapshot.state.losses.push_back(1.0 / static_cast<double>(step + i));
  return snapshot;
}

bool same(const Snapshot& a, const Snapshot& b) {
  return same_bits(a.trained, b.trained) && same_bits(a.state.adam.mu, b.state.adam.mu) &&
         same_bits(a.state.adam.nu, b.state.adam.nu) && a.state.step == b.state.step &&
         a.state.adam.step == b.state.adam.step && a.state.losses == b.state.losses;
}

class CheckpointDurability : public testing::Test {
 protected:
  static void SetUpTestSuite() { at::set_num_threads(1); }

  fs::path run_folder() const { return folder_.path() / "runs" / id_.text(); }
  fs::path attempt() const { return run_folder() / "attempt-1"; }
  fs::path newer() const { return attempt() / "checkpoint-40.h5"; }
  void write(std::int64_t step) const {
    const Snapshot snapshot = snapshot_at(step);
    write_checkpoint(attempt(), id_, snapshot.trained, snapshot.state);
  }
  void write_both() const {
    fs::create_directories(attempt());
    write(kOlder);
    write(kNewer);
  }
  // Step of the checkpoint that a resume takes, 0 for none; its bits are compared.
  std::int64_t resumed_step() const {
    Snapshot found = snapshot_at(1);
    if (!resume(run_folder(), id_, found.trained, found.state)) return 0;
    EXPECT_TRUE(same(found, snapshot_at(found.state.step))) << "wrong bytes";
    return found.state.step;
  }

  cluster::TemporaryFolder folder_;
  experiments::RunId id_{std::string(64, 'a')};
};

TEST_F(CheckpointDurability, UsesTheNewestWholeOne) {
  write_both();
  EXPECT_EQ(resumed_step(), kNewer);
}

TEST_F(CheckpointDurability, CutOffAtEveryPageIsNotUsed) {
  write_both();
  const std::string whole = cluster::read_file(newer(), 1 << 24);
  ASSERT_GT(whole.size(), 20U * 4096);
  for (std::size_t size = 0; size < whole.size(); size += 4096) {
    std::ofstream(newer(), std::ios::binary | std::ios::trunc)
        .write(whole.data(), static_cast<std::streamsize>(size));
    EXPECT_EQ(resumed_step(), kOlder) << "cut to " << size << " bytes";
  }
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{511}, std::size_t{512}, whole.size() - 1}) {
    std::ofstream(newer(), std::ios::binary | std::ios::trunc)
        .write(whole.data(), static_cast<std::streamsize>(size));
    EXPECT_EQ(resumed_step(), kOlder) << "cut to " << size << " bytes";
  }
  // Bytes of another file behind the end, or zeros where bytes were not written.
  cluster::write_file_durably(newer(), whole + "x");
  EXPECT_EQ(resumed_step(), kOlder);
  cluster::write_file_durably(newer(),
                              whole.substr(0, 4096) + std::string(whole.size() - 4096, '\0'));
  EXPECT_EQ(resumed_step(), kOlder);
}

TEST_F(CheckpointDurability, WithAFlippedBitIsNotUsed) {
  write_both();
  const std::string whole = cluster::read_file(newer(), 1 << 24);
  const int flips = std::getenv("MARQUEE_SOAK") == nullptr ? 200 : 1000;
  std::mt19937_64 chance(4);
  int used = 0, failures = 0;
  for (int i = 0; i < flips; ++i) {
    std::string flipped = whole;
    const std::size_t bit = chance() % (whole.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    cluster::write_file_durably(newer(), flipped);
    const std::int64_t step = resumed_step();
    // In the padding behind the seal a bit means nothing.
    if (step == kNewer) ++used;
    const bool refused_or_unread = step == kOlder || (step == kNewer && bit / 8 < kSealedFrom);
    EXPECT_TRUE(refused_or_unread) << "bit " << bit;
    if (!refused_or_unread) ++failures;
  }
  EXPECT_LT(used, flips / 20);
  std::cerr << "soak: a checkpoint is whole or refused: " << flips << " flipped bits, " << failures
            << " failures\n";
}

TEST_F(CheckpointDurability, BothDamagedStartsAfresh) {
  write_both();
  damage(newer());
  damage(attempt() / "checkpoint-20.h5");
  EXPECT_EQ(resumed_step(), 0);
}

// ---- a failing disk: in a process with the shim of tests/fault preloaded ------------------------

fs::path shim() {
  const char* folder = std::getenv("MARQUEE_BIN");
  return (folder != nullptr ? fs::path(folder) : cluster::executable_path().parent_path()) /
         "libstorage_shim.so";
}

// Runs this test again in a process with the shim; false in that process.
bool handed_to_a_process_with_the_shim(const fs::path& root) {
  if (std::getenv("MARQUEE_SHIM_ROOT") != nullptr) return false;
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  const std::string filter =
      std::string("--gtest_filter=") + info->test_suite_name() + "." + info->name();
  const std::string program = cluster::executable_path().string();
  const pid_t child = fork();
  if (child == 0) {
    setenv("LD_PRELOAD", shim().c_str(), 1);
    // TemporaryFolder makes its folders below TMPDIR.
    setenv("TMPDIR", root.c_str(), 1);
    setenv("MARQUEE_SHIM_ROOT", root.c_str(), 1);
    execl(program.c_str(), program.c_str(), filter.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  return true;
}

TEST_F(CheckpointDurability, OnAFullOrFailingDiskIsAnErrorAndTheOneBeforeIsUsed) {
  if (!fs::exists(shim())) GTEST_SKIP() << shim() << " is not built";
  if (handed_to_a_process_with_the_shim(folder_.path())) return;
  fs::create_directories(attempt());
  write(kOlder);
  const fs::path fired = folder_.path() / "fired";
  setenv("MARQUEE_SHIM_FIRED", fired.c_str(), 1);
  for (const char* call : {"write:ENOSPC", "write:EIO", "sync:EIO", "sync:ENOSPC", "rename:EIO",
                           "open:EIO", "open:ENOSPC"}) {
    int failed_calls = 0;
    for (int number = 1;; ++number) {
      ASSERT_LT(number, 2000) << call;
      fs::remove(fired);
      fs::remove(newer());
      const pid_t child = fork();
      if (child == 0) {
        const std::string chosen =
            std::string(call) + ":" + std::to_string(number) + ":*/attempt-1*";
        setenv("MARQUEE_SHIM_FAIL", chosen.c_str(), 1);
        alarm(60);  // a library that waits for ever on its own error
        try {
          write(kNewer);
        } catch (const cluster::Error& error) {
          _exit(static_cast<int>(error.kind()));
        }
        _exit(0);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status)) << call << " " << number << ": status " << status;
      if (!fs::exists(fired)) {
        EXPECT_EQ(WEXITSTATUS(status), 0);
        EXPECT_EQ(resumed_step(), kNewer);
        break;
      }
      ++failed_calls;
      // Whoever is told "written" finds it; an error names the disk, not a defect of ours.
      EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(cluster::ErrorKind::environment))
          << call << " " << number;
      const std::int64_t step = resumed_step();
      EXPECT_TRUE(step == kOlder || (step == kNewer && std::string(call).starts_with("sync")))
          << call << " " << number << ": " << step;
      for (const auto& entry : fs::directory_iterator(attempt()))
        EXPECT_EQ(entry.path().filename().string().find(".tmp-"), std::string::npos)
            << call << " " << number << " leaves " << entry.path();
    }
    std::cerr << call << ": " << failed_calls << " calls failed, one after another\n";
    EXPECT_GT(failed_calls, 0) << call;
  }
}

}  // namespace
}  // namespace marquee::workers
