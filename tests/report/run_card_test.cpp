// Cards hold texts of any origin.
#include "analysis/report/run_card.h"

#include <gmock/gmock.h>

#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RunCard, LeavesHostileNamesText) {
  ExportedRun run;
  run.config = run_of("<script>[a](b)\n---\nbase: \"x\"", "prompt");
  run.run_id = std::string(64, 'a');
  run.settings = {{"task", run.config.task}};
  run.provenance = {{"device", "a | b\x1b[31m"}};
  const std::string card = run_card(run, "");
  EXPECT_THAT(card, HasSubstr("# prompt on \\<script\\>\\[a\\](b)"));
  EXPECT_THAT(card, Not(HasSubstr("\n---\nbase: \"x\"")));
  EXPECT_THAT(card, Not(HasSubstr("\x1b")));
  EXPECT_THAT(card, HasSubstr("a \\| b"));
}

}  // namespace
}  // namespace marquee::analysis
