#include "cluster/error.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace marquee::cluster {
namespace {

TEST(Error, HasANameForEveryKind) {
  EXPECT_EQ(Error(ErrorKind::usage, "").name(), "usage");
  EXPECT_EQ(Error(ErrorKind::environment, "").name(), "environment");
  EXPECT_EQ(Error(ErrorKind::defect, "").name(), "defect");
  EXPECT_EQ(Error(ErrorKind::busy, "").name(), "busy");
}

TEST(Error, PutsLaterContextInFront) {
  Error error(ErrorKind::environment, "is damaged");
  error.add_context("record 3").add_context("a.tfrecord");
  EXPECT_STREQ(error.what(), "a.tfrecord: record 3: is damaged");
  EXPECT_EQ(error.kind(), ErrorKind::environment);
}

TEST(Error, KeepsItsContextWhenRethrown) {
  try {
    try {
      throw_usage("no such key");
    } catch (Error& error) {
      error.add_context("sweep.yaml");
      throw;
    }
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "sweep.yaml: no such key");
  }
}

TEST(Check, ThrowsADefectWithItsMessageWhenFalse) {
  try {
    MARQUEE_CHECK(1 + 1 == 3, "sums");
    FAIL() << "passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::defect);
    EXPECT_NE(std::string(error.what()).find("sums"), std::string::npos);
  }
}

TEST(ErrnoText, SaysWhatTheNumberMeans) {
  EXPECT_EQ(errno_text(ENOENT), "No such file or directory");
}

}  // namespace
}  // namespace marquee::cluster
