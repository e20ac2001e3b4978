#include "orchestrator/sweep/time_limit.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

TEST(TimeLimit, ReadsSecondsAndClocks) {
  EXPECT_EQ(parse_time_limit("90"), 90);
  EXPECT_EQ(parse_time_limit("1.5"), 1.5);
  EXPECT_EQ(parse_time_limit("01:30:05"), 5405);
  EXPECT_EQ(parse_time_limit("2-01:00:00"), 49 * 3600);
  EXPECT_EQ(parse_time_limit("none"), std::nullopt);
}

TEST(TimeLimit, RefusesWhatIsNoTime) {
  for (const char* text : {"", "0", "-5", "1h", "1:2", "00:61:00", "01:00:00x", "1-2-3", "nan",
                           "1e99", "999999999999999", "1..2"}) {
    try {
      parse_time_limit(text);
      FAIL() << text;
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("--time-limit"), std::string::npos);
    }
  }
}

TEST(TimeLimit, TheOptionComesOverTheVariable) {
  EXPECT_EQ(time_limit("", "", 1000), std::nullopt);
  EXPECT_EQ(time_limit("", "1600", 1000)->ends_in, 600);
  EXPECT_EQ(time_limit("", "1600", 1000)->source, "SLURM_JOB_END_TIME");
  EXPECT_EQ(time_limit("60", "1600", 1000)->ends_in, 60);
  EXPECT_EQ(time_limit("none", "1600", 1000), std::nullopt);
  // Over already: nothing may start.
  EXPECT_EQ(time_limit("", "900", 1000)->ends_in, -100);
}

TEST(TimeLimit, TakesAVariableThatIsNoTimeForNone) {
  for (const char* text : {"0", "Unknown", "4294967295999", "12:00"})
    EXPECT_EQ(time_limit("", text, 1000), std::nullopt) << text;
}

}  // namespace
}  // namespace marquee::orchestrator
