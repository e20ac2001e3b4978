#include "cluster/doorbell.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace marquee::cluster {
namespace {

bool readable(const Doorbell& bell) {
  pollfd waiting{bell.fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

TEST(Doorbell, TellsWhetherSomebodyHasRung) {
  const Doorbell mine, theirs;
  EXPECT_NE(mine.address(), theirs.address());
  EXPECT_FALSE(readable(mine));
  EXPECT_FALSE(mine.answer());
  theirs.ring(mine.address());
  theirs.ring(mine.address());
  EXPECT_TRUE(readable(mine));
  EXPECT_FALSE(readable(theirs));
  EXPECT_TRUE(mine.answer());
  EXPECT_FALSE(mine.answer());
}

TEST(Doorbell, IsNotRungFromElsewhere) {
  const Doorbell mine, theirs;
  std::string other_host = mine.address();
  other_host[0] = other_host[0] == '0' ? '1' : '0';
  std::string long_name = mine.address();
  long_name.append(200, 'x');
  for (const std::string& address : {other_host, long_name, std::string(), std::string("nonsense"),
                                     mine.address().substr(0, mine.address().rfind('/') + 1)})
    theirs.ring(address);
  EXPECT_FALSE(mine.answer());
}

TEST(Doorbell, NeverBlocksWhoRings) {
  const Doorbell mine, theirs;
  for (int i = 0; i < 5000; ++i) theirs.ring(mine.address());
  int answers = 0;
  while (mine.answer()) ASSERT_LT(++answers, 5000);
  EXPECT_GT(answers, 0);
  theirs.ring(mine.address());
  EXPECT_TRUE(mine.answer());
}

TEST(Doorbell, MayRingWhereNobodyIs) {
  std::string gone;
  {
    const Doorbell other;
    gone = other.address();
  }
  const Doorbell mine;
  mine.ring(gone);
  EXPECT_FALSE(mine.answer());
}

}  // namespace
}  // namespace marquee::cluster
