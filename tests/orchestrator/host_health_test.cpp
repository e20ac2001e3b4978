#include "orchestrator/scheduling/host_health.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

HostHealth::Failure of(const std::string& run) {
  return {run, FailureKind::environment};
}

TEST(HostHealth, SuspectsAHostThatFailsDifferentRunsWhileAnotherWorks) {
  HostHealth health;
  health.works("good");
  EXPECT_FALSE(health.failed("bad", 1, of("a")));
  EXPECT_FALSE(health.failed("bad", 1, of("a")));
  EXPECT_FALSE(health.failed("bad", 1, of("b")));
  // Nothing has worked elsewhere since.
  EXPECT_FALSE(health.failed("bad", 1, of("c")));
  health.works("good");
  EXPECT_TRUE(health.failed("bad", 1, of("c")));
  EXPECT_EQ(health.failures("bad").size(), 5u);
  EXPECT_TRUE(health.failures("good").empty());
}

TEST(HostHealth, BeginsAnewWhenARunWorksThere) {
  HostHealth health;
  for (const char* run : {"a", "b"}) health.failed("bad", 1, of(run));
  health.works("bad");
  EXPECT_TRUE(health.failures("bad").empty());
  EXPECT_FALSE(health.failed("bad", 1, of("c")));
  health.works("good");
  EXPECT_FALSE(health.failed("bad", 1, of("d")));
  EXPECT_TRUE(health.failed("bad", 1, of("e")));
}

TEST(HostHealth, WantsAsManyFailuresAsTheHostHasSlots) {
  HostHealth health;
  for (const char* run : {"a", "b", "c", "d"}) {
    EXPECT_FALSE(health.failed("large", 5, of(run)));
    health.works("good");
  }
  EXPECT_TRUE(health.failed("large", 5, of("e")));
}

TEST(HostHealth, SuspectsNobodyWhereAllFail) {
  HostHealth health;
  for (const char* run : {"a", "b", "c", "d", "e"}) {
    EXPECT_FALSE(health.failed("one", 1, of(run)));
    EXPECT_FALSE(health.failed("other", 1, of(run)));
  }
}

}  // namespace
}  // namespace marquee::orchestrator
