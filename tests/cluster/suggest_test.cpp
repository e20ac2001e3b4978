#include "cluster/suggest.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

TEST(NearestWord, FindsATypo) {
  const std::vector<std::string> valid{"prompt", "finetune", "scratch", "none"};
  EXPECT_EQ(nearest_word("promt", valid), "prompt");
  EXPECT_EQ(nearest_word("fientune", valid), "finetune");
  EXPECT_EQ(nearest_word("scrathc", valid), "scratch");
}

TEST(NearestWord, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_word("elephant", {"prompt", "none"}), "");
  EXPECT_EQ(did_you_mean("elephant", {"prompt", "none"}), "");
}

TEST(NearestWord, CountsAnAdjacentSwapAsOne) {
  EXPECT_EQ(nearest_word("nnoe", {"none"}), "none");
}

TEST(Join, PutsSeparatorsBetween) {
  EXPECT_EQ(join({"a", "b", "c"}), "a, b, c");
  EXPECT_EQ(join({}), "");
}

TEST(ExitCodeOf, FollowsTheKindAndTakesOthersForDefects) {
  EXPECT_EQ(exit_code_of(Error(ErrorKind::usage, "")), 2);
  EXPECT_EQ(exit_code_of(Error(ErrorKind::environment, "")), 3);
  EXPECT_EQ(exit_code_of(Error(ErrorKind::defect, "")), 4);
  EXPECT_EQ(exit_code_of(Error(ErrorKind::busy, "")), 75);
  EXPECT_EQ(exit_code_of(std::runtime_error("")), 4);
}

}  // namespace
}  // namespace marquee::cluster
