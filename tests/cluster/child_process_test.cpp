#include "cluster/child_process.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
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
    const ChildProcess child = shell("sleep 60");
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
  ASSERT_EQ(pipe(ends), 0);  // without close-on-exec, as a library might leave one
  SpawnOptions options;
  options.inherit = {{3, ends[1]}};
  options.log_file = folder.path() / "log";
  shell("for fd in /proc/self/fd/*; do basename $fd; done | sort -n | head -20 | tr '\\n' ' '",
        options)
      .wait();
  close(ends[0]);
  close(ends[1]);
  const std::string listed = read_file(folder.path() / "log", 1000);
  EXPECT_NE(listed.find("3 "), std::string::npos) << listed;
  EXPECT_EQ(listed.find(" " + std::to_string(ends[0] > 4 ? ends[0] : 20) + " "), std::string::npos)
      << listed;
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
