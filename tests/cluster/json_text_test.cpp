#include "cluster/json_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace marquee::cluster {
namespace {

TEST(PlainText, LeavesTextsAsTheyAreAndWritesAllElseAsJson) {
  EXPECT_EQ(plain_text("mini"), "mini");
  EXPECT_EQ(plain_text(0.5), "0.5");
  EXPECT_EQ(plain_text(true), "true");
  EXPECT_EQ(plain_text(nullptr), "null");
  EXPECT_EQ(plain_text({"a", 1}), R"(["a",1])");
}

}  // namespace
}  // namespace marquee::cluster
