#include "orchestrator/human.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

TEST(Human, SizesAndDurationsAreReadable) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::int64_t{25} << 20), "25 MiB");
  EXPECT_EQ(human_bytes(std::int64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(human_seconds(0.44), "0.4 s");
  EXPECT_EQ(human_seconds(4), "4 s");
  EXPECT_EQ(human_seconds(59.6), "1 min 0 s");
  EXPECT_EQ(human_seconds(200), "3 min 20 s");
  EXPECT_EQ(human_rate(0.254), "0.25 runs/h");
  EXPECT_EQ(human_rate(7.25), "7.2 runs/h");
  EXPECT_EQ(human_rate(2330.4), "2330 runs/h");
  EXPECT_EQ(human_seconds(3600 * 5 + 600), "5 h 10 min");
  EXPECT_EQ(human_seconds(86400 * 2 + 3600), "2 d 1 h");
}

}  // namespace
}  // namespace marquee::orchestrator
