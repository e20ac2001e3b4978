#include "orchestrator/sweep/progress_line.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

TEST(ProgressText, ShowsRunsAndWorkers) {
  EXPECT_EQ(progress_text({8, 2, 1, 2, 3}, 2, {}), "2/8 done, 1 failed, 2 running on 2 workers");
}

TEST(ProgressText, ShowsCancelledRunsWhereThereAreSome) {
  ScheduleCounts counts{8, 2, 1, 1, 3};
  counts.cancelled = 1;
  EXPECT_EQ(progress_text(counts, 1, {}), "2/8 done, 1 failed, 1 cancelled, 1 running on 1 worker");
}

TEST(ProgressText, NamesRateAndTimeLeft) {
  EXPECT_EQ(progress_text({12, 10, 0, 1, 1}, 1, {90.0, 60.0}),
            "10/12 done, 0 failed, 1 running on 1 worker, 90 runs/h, about 1 min 0 s left");
}

TEST(Forecast, ScalesFromWhatThisCommandFinished) {
  // 2 runs and half of one took 100 s; 1 waits and half of one is left: 1.5 / 2.5 * 100 s.
  const Forecast made = forecast({12, 10, 0, 1, 1}, 0.5, 2, 100.0);
  EXPECT_DOUBLE_EQ(made.seconds_left.value_or(-1), 60.0);
  EXPECT_DOUBLE_EQ(made.runs_per_hour.value_or(-1), 90.0);
}

TEST(Forecast, NamesNoTimeWhenNothingIsLeftOrLittleIsKnown) {
  EXPECT_FALSE(forecast({2, 2, 0, 0, 0}, 0.0, 2, 100.0).seconds_left);
  EXPECT_FALSE(forecast({2, 0, 0, 1, 1}, 0.1, 0, 100.0).seconds_left);
  EXPECT_FALSE(forecast({2, 0, 0, 1, 1}, 0.1, 0, 100.0).runs_per_hour);
}

TEST(ProgressLine, PrintsPlainLinesNowAndThenWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  ProgressLine line(false, 10.0);
  line.show("one", 100.0);
  line.show("two", 105.0);
  line.show("three", 111.0);
  line.end();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "one\nthree\n");
}

TEST(ProgressLine, RewritesOneLineWhereTheLauncherHasATerminal) {
  setenv(kTerminalVariable, "8", 1);
  testing::internal::CaptureStderr();
  ProgressLine line(false, 10.0);
  line.show("longer than that", 100.0);
  line.show("two", 101.0);
  line.end();
  unsetenv(kTerminalVariable);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "\r\033[Klonger \r\033[Ktwo\n");
}

TEST(ProgressLine, IsQuietWhenAsked) {
  testing::internal::CaptureStderr();
  ProgressLine line(true);
  line.show("one", 100.0, true);
  line.end();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace marquee::orchestrator
