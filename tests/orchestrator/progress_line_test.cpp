#include "orchestrator/progress_line.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

TEST(DurationText, UsesTheLargestTwoUnits) {
  EXPECT_EQ(duration_text(0.2), "1 s");
  EXPECT_EQ(duration_text(59.0), "59 s");
  EXPECT_EQ(duration_text(190.0), "3 min 10 s");
  EXPECT_EQ(duration_text(3600.0 + 120.0), "1 h 02 min");
}

TEST(ProgressText, ShowsCounts) {
  const std::string text = progress_text({8, 2, 1, 2, 3}, 0.0, 0, 5.0);
  EXPECT_EQ(text, "2/8 done, 1 failed, 2 running");
}

TEST(ProgressText, ScalesTheTimeLeftFromWhatThisCommandFinished) {
  // 2 runs and half of one took 100 s; 1 waits and half of one is left: 1.5 / 2.5 * 100 s.
  const std::string text = progress_text({12, 10, 0, 1, 1}, 0.5, 2, 100.0);
  EXPECT_EQ(text, "10/12 done, 0 failed, 1 running, about 1 min 00 s left");
}

TEST(ProgressText, NamesNoTimeWhenNothingIsLeft) {
  EXPECT_EQ(progress_text({2, 2, 0, 0, 0}, 0.0, 2, 100.0), "2/2 done, 0 failed, 0 running");
}

}  // namespace
}  // namespace marquee::orchestrator
