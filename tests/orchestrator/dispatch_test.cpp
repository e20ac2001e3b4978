#include <gtest/gtest.h>

#include "cluster/error.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {
namespace {

TEST(Dispatch, SuggestsTheNearestCommand) {
  try {
    dispatch({"sweeep"});
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("'sweep'"), std::string::npos);
  }
}

TEST(Dispatch, EveryCommandHasASummary) {
  for (const Command& command : all_commands()) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
  }
}

}  // namespace
}  // namespace marquee::orchestrator
