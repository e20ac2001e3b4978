#include "orchestrator/sweep/trainer_process.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

// A folder of this test, removed afterwards, with a trainer written in sh.
class TrainerProcessTest : public testing::Test {
 protected:
  TrainerProcess start(const std::string& script, int threads = 1) {
    const auto program = folder_.path() / "trainer";
    std::ofstream(program) << "#!/bin/sh\n" << script;
    chmod(program.c_str(), 0755);
    TrainerCommand command;
    command.program = program;
    command.threads = threads;
    command.log_file = folder_.path() / "trainer.log";
    return TrainerProcess(command);
  }
  std::string log() const { return log_tail(folder_.path() / "trainer.log"); }

  // Waits at most 10 s for a message; nullopt when the trainer ended without one.
  static std::optional<TrainerMessage> next_message(TrainerProcess& trainer) {
    for (int i = 0; i < 1000; ++i) {
      if (auto message = trainer.try_receive()) return message;
      if (trainer.channel_closed()) return std::nullopt;
      usleep(10'000);
    }
    return std::nullopt;
  }
  static void wait_for_end(TrainerProcess& trainer) {
    for (int i = 0; i < 1000 && !trainer.try_wait(); ++i) usleep(10'000);
  }

  cluster::TemporaryFolder folder_;
};

TEST_F(TrainerProcessTest, GetsItsThreadsAndParentAndNoMpiVariables) {
  setenv("OMPI_MARKER_OF_THIS_TEST", "1", 1);
  TrainerProcess trainer =
      start("echo \"$@\"\necho threads=$OMP_NUM_THREADS marker=$OMPI_MARKER_OF_THIS_TEST\n", 3);
  wait_for_end(trainer);
  unsetenv("OMPI_MARKER_OF_THIS_TEST");
  EXPECT_NE(
      log().find("serve --control-fd 3 --parent-pid " + std::to_string(getpid()) + " --threads 3"),
      std::string::npos)
      << log();
  EXPECT_TRUE(log().ends_with("threads=3 marker=")) << log();
}

TEST_F(TrainerProcessTest, DeliversFrames) {
  // 16 bytes: {"type":"hello"}
  TrainerProcess trainer =
      start("printf '\\020\\000\\000\\000{\"type\":\"hello\"}' >&3\nsleep 1\n");
  const auto message = next_message(trainer);
  ASSERT_TRUE(message.has_value()) << log();
  EXPECT_TRUE(std::holds_alternative<TrainerHello>(*message));
}

TEST_F(TrainerProcessTest, DeliversTheLastWordsOfADeadTrainer) {
  TrainerProcess trainer = start("printf '\\020\\000\\000\\000{\"type\":\"hello\"}' >&3\n");
  wait_for_end(trainer);
  EXPECT_TRUE(next_message(trainer).has_value());
}

TEST_F(TrainerProcessTest, RefusesAFrameThatIsTooLong) {
  TrainerProcess trainer = start("printf '\\377\\377\\377\\377xxxx' >&3\nsleep 1\n");
  EXPECT_THROW(next_message(trainer), cluster::Error);
}

TEST_F(TrainerProcessTest, RefusesAFrameThatIsNoMessage) {
  TrainerProcess trainer = start("printf '\\004\\000\\000\\000rats' >&3\nsleep 1\n");
  EXPECT_THROW(next_message(trainer), cluster::Error);
}

TEST_F(TrainerProcessTest, ReportsTheExitCode) {
  TrainerProcess trainer = start("exit 9\n");
  wait_for_end(trainer);
  ASSERT_TRUE(trainer.try_wait().has_value());
  EXPECT_EQ(trainer.try_wait()->exit_code, 9);
}

TEST_F(TrainerProcessTest, IsKilledWhenItDoesNotGo) {
  TrainerProcess trainer = start("trap '' TERM\nwhile :; do sleep 1; done\n");
  const double start_time = cluster::monotonic_seconds();
  trainer.end(0.3);
  EXPECT_LT(cluster::monotonic_seconds() - start_time, 5.0);
}

TEST_F(TrainerProcessTest, IsOverdueAfterItsDeadline) {
  TrainerProcess trainer = start("sleep 1\n");
  trainer.expect_within(10.0, 100.0);
  EXPECT_FALSE(trainer.overdue(109.0));
  EXPECT_TRUE(trainer.overdue(111.0));
}

TEST(FindTrainer, NamesTheVariableWhenItsProgramIsMissing) {
  setenv("MARQUEE_TRAINER", "/no/such/trainer", 1);
  try {
    find_trainer();
    ADD_FAILURE() << "found";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("MARQUEE_TRAINER"), std::string::npos);
  }
  unsetenv("MARQUEE_TRAINER");
}

TEST(LogTail, KeepsTheLastLines) {
  const cluster::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "log";
  std::ofstream(file) << "one\ntwo\nthree\n";
  EXPECT_EQ(log_tail(file, 2), "two\nthree");
  EXPECT_EQ(log_tail(file, 9), "one\ntwo\nthree");
  std::filesystem::remove(file);
  EXPECT_EQ(log_tail(file), "");
}

}  // namespace
}  // namespace marquee::orchestrator
