#include "orchestrator/sweep/launch.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using Words = std::vector<std::string>;

TEST(MpirunCommand, AddsOneRankForTheCoordinator) {
  EXPECT_EQ(mpirun_command("/bin/marquee", {"sweep", "a.yaml"}, 2, false),
            (Words{"mpirun", "--quiet", "--oversubscribe", "-n", "3", "/bin/marquee", "sweep",
                   "a.yaml"}));
}

TEST(MpirunCommand, SaysSoWhenRoot) {
  const Words command = mpirun_command("/bin/marquee", {}, 1, true);
  EXPECT_NE(std::find(command.begin(), command.end(), "--allow-run-as-root"), command.end());
}

TEST(RunMpirun, ReturnsTheExitCode) {
  EXPECT_EQ(run_mpirun({"sh", "-c", "exit 75"}), 75);
}

TEST(RunMpirun, NamesAMissingProgram) {
  try {
    run_mpirun({"no-such-launcher"});
    FAIL() << "started";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("no-such-launcher"), std::string::npos);
  }
}

TEST(RunMpirun, TellsADeathBySignalFromAnExit) {
  try {
    run_mpirun({"sh", "-c", "kill -KILL $$"});
    FAIL() << "returned";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find("signal 9"), std::string::npos);
  }
}

TEST(RunMpirun, EndsALauncherThatStaysBehindItsRanks) {
  try {
    run_mpirun({"sh", "-c", "sleep 0.8 & wait; exec tail -f /dev/null"}, 1.0);
    FAIL() << "returned";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("did not end"), std::string::npos);
  }
}

TEST(RunMpirun, WaitsForALauncherWhoseRanksWork) {
  EXPECT_EQ(run_mpirun({"sh", "-c", "sleep 2.5 & wait; exit 7"}, 1.0), 7);
}

}  // namespace
}  // namespace marquee::orchestrator
