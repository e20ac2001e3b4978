#include "cluster/host.h"

#include <algorithm>
#include <regex>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace marquee::cluster {
namespace {

TEST(ProcessStartTime, OfThisProcessStaysTheSame) {
  const std::uint64_t start = process_start_time(getpid());
  EXPECT_GT(start, 0u);
  EXPECT_EQ(process_start_time(getpid()), start);
}

TEST(ProcessStartTime, IsZeroForAZombieAndForOneThatIsGone) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(process_start_time(child), 0u) << "a zombie";
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(process_start_time(child), 0u) << "gone";
}

TEST(AvailableCpus, LooksPastTheMaskAndLeavesItAsItWas) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const std::vector<int> all = available_cpus();
  ASSERT_FALSE(all.empty());
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(all.front(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_cpus(), all);
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&after, &one));
  sched_setaffinity(0, sizeof before, &before);
}

TEST(UtcNow, IsIso8601WithMilliseconds) {
  const std::string now = utc_now();
  EXPECT_TRUE(std::regex_match(now, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")))
      << now;
}

TEST(ExecutablePath, NamesThisProgram) {
  EXPECT_EQ(executable_path().filename(), "cluster_tests");
}

}  // namespace
}  // namespace marquee::cluster
