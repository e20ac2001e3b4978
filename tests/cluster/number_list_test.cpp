#include "cluster/number_list.h"

#include <gtest/gtest.h>

namespace marquee::cluster {
namespace {

using Numbers = std::vector<std::int64_t>;

TEST(NumberList, IsNumbersWithCommasBetween) {
  EXPECT_EQ(parse_numbers("7", 8), (Numbers{7}));
  EXPECT_EQ(parse_numbers("3,17,42", 100), (Numbers{3, 17, 42}));
  EXPECT_EQ(parse_numbers("0,0", 1), (Numbers{0, 0}));
}

TEST(Number, IsAllOfTheText) {
  EXPECT_EQ(parse_number("0", 1), 0);
  EXPECT_EQ(parse_number("99", 100), 99);
  for (const char* text : {"", "3,4", " 3", "3x", "-1", "+1", "100", "99999999999999999999"})
    EXPECT_FALSE(parse_number(text, 100)) << text;
}

TEST(NumberList, IsNothingElse) {
  for (const char* text : {"", ",", "3,", ",3", "3,,4", "3, 4", " 3", "3x", "-1", "+1", "1.5",
                           "0x1", "3;4", "100", "99999999999999999999"})
    EXPECT_FALSE(parse_numbers(text, 100)) << text;
}

}  // namespace
}  // namespace marquee::cluster
