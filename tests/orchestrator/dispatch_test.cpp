#include <gtest/gtest.h>

#include "cluster/error.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/shell/described_commands.h"

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

TEST(Dispatch, SuggestsTheNearestPart) {
  try {
    dispatch({"data", "lisst"});
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'list'"), std::string::npos);
  }
}

TEST(Dispatch, EveryCommandDoesOneThing) {
  const auto check = [](const Command& command) {
    EXPECT_EQ((command.run != nullptr) + (command.parts != nullptr) + !command.handed_to.empty(), 1)
        << command.name;
  };
  for (const Command& command : all_commands()) {
    check(command);
    if (command.parts == nullptr) continue;
    for (const Command& part : command.parts()) check(part);
  }
}

// A man page without a word of an option helps nobody, nor does a completion without it.
TEST(DescribedCommands, HaveATextForEachOptionOfOurs) {
  const cluster::CommandFacts all = describe_commands();
  EXPECT_EQ(all.parts.size(), all_commands().size());
  for (const cluster::CommandFacts& command : all.parts)
    for (const cluster::OptionFacts& option : command.options)
      EXPECT_FALSE(option.text.empty()) << command.name << " --" << option.name;
}

}  // namespace
}  // namespace marquee::orchestrator
