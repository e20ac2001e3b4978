#include "orchestrator/scheduling/run_standing.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

AttemptFacts attempt(int number, std::uint64_t epoch, const std::string& status,
                     const std::string& cause = "") {
  return {number, epoch, status, "node7", "2026-01-01T00:00:00Z", cause, 3};
}

std::string standing(const std::string& status, std::vector<AttemptFacts> attempts,
                     std::size_t ahead = 0, bool lives = true) {
  return standing_of({status, std::move(attempts), ahead, lives});
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST(RunStanding, TellsHowManyRunsComeBefore) {
  EXPECT_TRUE(says(standing("pending", {}, 4), "4 runs of its sweep come before it"));
  EXPECT_TRUE(says(standing("pending", {}, 1), "1 run of its sweep comes before it"));
  EXPECT_TRUE(says(standing("pending", {}, 1, false), "no sweep runs"));
  EXPECT_TRUE(says(standing("pending", {attempt(1, 1, "interrupted")}), "cut off"));
  EXPECT_TRUE(says(standing("pending", {attempt(1, 1, "done")}), "to be computed again"));
}

TEST(RunStanding, TellsWhereItRuns) {
  const std::string text =
      standing("running", {attempt(1, 1, "failed", "crash"), attempt(2, 1, "running")});
  EXPECT_TRUE(says(text, "running: attempt 2 on node7, slot 3")) << text;
  EXPECT_TRUE(says(standing("running", {attempt(1, 1, "running")}, 0, false), "cut off"));
}

TEST(RunStanding, TellsSetAsideFromToBeTriedAgain) {
  const std::vector<AttemptFacts> two{attempt(1, 5, "failed", "crash"),
                                      attempt(2, 5, "failed", "crash")};
  EXPECT_TRUE(says(standing("failed", two), "to be tried again")) << standing("failed", two);
  // Without a coordinator nobody tries.
  EXPECT_TRUE(says(standing("failed", two, 0, false), "set aside"));
  std::vector<AttemptFacts> three = two;
  three.push_back(attempt(3, 5, "failed", "crash"));
  EXPECT_TRUE(says(standing("failed", three), "set aside: failed, after 3 of 3"));
  // Failures of an earlier command do not count, interruptions neither.
  const std::vector<AttemptFacts> older{
      attempt(1, 4, "failed", "crash"), attempt(2, 4, "failed", "crash"),
      attempt(3, 5, "interrupted", "interrupted"), attempt(4, 5, "failed", "crash")};
  EXPECT_TRUE(says(standing("failed", older), "after 1 of 3")) << standing("failed", older);
  EXPECT_TRUE(says(standing("failed", {attempt(1, 5, "failed", "usage")}), "set aside"));
}

TEST(RunStanding, TellsWhatToDoWhenMemoryRanOut) {
  const std::vector<AttemptFacts> one{attempt(1, 5, "failed", "out_of_memory")};
  EXPECT_TRUE(says(standing("failed", one), "where a slot has more memory"));
  EXPECT_TRUE(says(standing("failed", one, 0, false), "set aside: raise micro_batches"));
}

TEST(RunStanding, SaysWhoTakesACancelledRunUpAgain) {
  const std::string text = standing("cancelled", {attempt(1, 1, "interrupted", "interrupted")});
  EXPECT_TRUE(says(text, "cancelled") && says(text, "rerun")) << text;
}

TEST(RunStanding, NamesTheAttemptThatCounts) {
  EXPECT_EQ(standing("done", {attempt(1, 1, "done"), attempt(2, 1, "done"),
                              attempt(3, 2, "failed", "crash")}),
            "done: attempt 2 counts");
}

}  // namespace
}  // namespace marquee::orchestrator
