#include "cluster/child_process.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

ChildProcess shell(const std::string& script, SpawnOptions options = {}) {
  options.argv = {"/bin/sh", "-c", script};
  if (options.environment.empty()) options.environment = {"PATH=/usr/bin:/bin"};
  return ChildProcess::spawn(options);
}

TEST(ChildProcess, ReportsItsExitCode) {
  EXPECT_EQ(shell("exit 7").wait(), (ExitStatus{7, 0}));
}

TEST(ChildProcess, ReportsTheSignalThatEndedIt) {
  ChildProcess child = shell("kill -TERM $$; sleep 60");
  const ExitStatus status = child.wait();
  EXPECT_EQ(status.signal, SIGTERM);
  EXPECT_NE(status.describe().find("signal 15"), std::string::npos);
}

TEST(ChildProcess, IsKilledAndReapedWithItsOwner) {
  pid_t pid = 0;
  {
    const ChildProcess child = shell("exec sleep 60");
    pid = child.pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(ChildProcess, KeepsItsStatus) {
  ChildProcess child = shell("exit 3");
  EXPECT_EQ(child.wait(), child.wait());
  EXPECT_EQ(child.try_wait(), (ExitStatus{3, 0}));
}

TEST(ChildProcess, WritesItsOutputToTheLog) {
  const TemporaryFolder folder;
  SpawnOptions options;
  options.log_file = folder.path() / "log";
  shell("echo out; echo err >&2", options).wait();
  EXPECT_EQ(read_file(folder.path() / "log", 100), "out\nerr\n");
}

TEST(ChildProcess, HasOnlyTheDescriptorsItWasGiven) {
  const TemporaryFolder folder;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  // Without close-on-exec, as a library might leave one.
  const int stray = fcntl(ends[0], F_DUPFD, 200);
  ASSERT_GE(stray, 200);
  SpawnOptions options;
  options.inherit = {{3, ends[1]}};
  options.log_file = folder.path() / "log";
  shell("for fd in 3 4 5 6 7 8 9 " + std::to_string(stray) +
            "; do test -e /proc/$$/fd/$fd && echo $fd; done; true",
        options)
      .wait();
  for (const int fd : {ends[0], ends[1], stray}) close(fd);
  EXPECT_EQ(read_file(folder.path() / "log", 1000), "3\n");
}

TEST(ChildProcess, InheritedDescriptorsMayChangePlaces) {
  // Two files at numbers that are each other's target: a careless dup2 would lose one of them. The
  // numbers that the files take are used as they come, in both orders.
  const TemporaryFolder folder;
  const std::string one = folder.path() / "one", two = folder.path() / "two";
  const int fd_one = open(one.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  const int fd_two = open(two.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd_one, 3);
  ASSERT_GE(fd_two, 3);
  for (const auto& [third, fourth] : {std::pair{fd_one, fd_two}, {fd_two, fd_one}}) {
    SpawnOptions options;
    options.inherit = {{3, third}, {4, fourth}};
    EXPECT_EQ(shell("printf 3 >&3; printf 4 >&4", options).wait(), (ExitStatus{0, 0}));
  }
  close(fd_one);
  close(fd_two);
  EXPECT_EQ(read_file(one, 10), "34");
  EXPECT_EQ(read_file(two, 10), "43");
}

TEST(ChildProcess, ReadsNothingFromStandardInput) {
  EXPECT_EQ(shell("cat | wc -c | grep -q '^0$'").wait(), (ExitStatus{0, 0}));
}

TEST(ChildProcess, AppendsToALogThatIsThere) {
  const TemporaryFolder folder;
  SpawnOptions options;
  options.log_file = folder.path() / "log";
  shell("echo one", options).wait();
  shell("echo two", options).wait();
  EXPECT_EQ(read_file(folder.path() / "log", 100), "one\ntwo\n");
}

TEST(ChildProcess, RunsOnTheGivenProcessorAndLeavesOursAlone) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const int cpu = available_cpus().back();
  const TemporaryFolder folder;
  SpawnOptions options;
  options.cpus = {cpu};
  options.log_file = folder.path() / "log";
  shell("grep Cpus_allowed_list /proc/self/status | cut -f 2", options).wait();
  EXPECT_EQ(read_file(folder.path() / "log", 100), std::to_string(cpu) + "\n");
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(ChildProcess, TryWaitIsEmptyWhileItRuns) {
  ChildProcess child = shell("exec sleep 60");
  EXPECT_EQ(child.try_wait(), std::nullopt);
  child.kill(SIGKILL);
  EXPECT_EQ(child.wait(), (ExitStatus{-1, SIGKILL}));
}

TEST(ChildProcess, HasExactlyTheGivenEnvironment) {
  const TemporaryFolder folder;
  SpawnOptions options;
  options.environment = {"ONLY=this"};
  options.log_file = folder.path() / "log";
  options.argv = {"/usr/bin/env"};
  ChildProcess::spawn(options).wait();
  EXPECT_EQ(read_file(folder.path() / "log", 1000), "ONLY=this\n");
}

TEST(ChildProcess, NamesAProgramThatDoesNotExist) {
  SpawnOptions options;
  options.argv = {"/nowhere/program"};
  try {
    ChildProcess::spawn(options);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("/nowhere/program"), std::string::npos);
  }
}

TEST(CleanEnvironment, LeavesOutWhatBelongsToTheRank) {
  setenv("OMPI_COMM_WORLD_RANK", "3", 1);
  setenv("OMP_NUM_THREADS", "64", 1);
  setenv("MARQUEE_TEST_KEPT", "yes", 1);
  bool kept = false;
  for (const std::string& entry : clean_environment()) {
    EXPECT_FALSE(entry.starts_with("OMPI_")) << entry;
    EXPECT_FALSE(entry.starts_with("OMP_")) << entry;
    kept = kept || entry == "MARQUEE_TEST_KEPT=yes";
  }
  EXPECT_TRUE(kept);
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMP_NUM_THREADS", "MARQUEE_TEST_KEPT"})
    unsetenv(name);
}

}  // namespace
}  // namespace marquee::cluster
