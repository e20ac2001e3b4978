#include "orchestrator/gangs/gangs.h"

#include <gmock/gmock.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

AttemptEnded ended(const std::string& status) {
  AttemptEnded message;
  message.record.status = status;
  return message;
}

TEST(Gangs, AreOverWhenTheLastMemberHasEnded) {
  Gangs gangs;
  const std::uint64_t generation = gangs.start({7, 3, 5});
  const auto first = gangs.end_attempt(7, generation, ended("done"));
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->attempt) << "two members may still read its checkpoints";
  EXPECT_FALSE(gangs.end_part(5, generation, false)->attempt);
  const auto last = gangs.end_part(3, generation, false);
  ASSERT_TRUE(last && last->attempt);
  EXPECT_EQ(last->attempt->record.status, "done");
  EXPECT_THAT(last->to_end, IsEmpty());
}

TEST(Gangs, EndWithTheFirstMemberThatFails) {
  Gangs gangs;
  const std::uint64_t generation = gangs.start({1, 2, 3, 4});
  EXPECT_THAT(gangs.end_part(4, generation, false)->to_end, IsEmpty());
  EXPECT_THAT(gangs.end_part(2, generation, true)->to_end, ElementsAre(1, 3));
  EXPECT_THAT(gangs.end_part(3, generation, true)->to_end, IsEmpty()) << "they have been told";
  const auto last = gangs.end_attempt(1, generation, ended("failed"));
  ASSERT_TRUE(last && last->attempt);
  EXPECT_EQ(last->attempt->record.status, "failed");
}

TEST(Gangs, OfAFailedRankZeroEndToo) {
  Gangs gangs;
  const std::uint64_t generation = gangs.start({9, 2});
  EXPECT_THAT(gangs.end_attempt(9, generation, ended("interrupted"))->to_end, ElementsAre(2));
}

TEST(Gangs, TakeNothingOfOthersNorTwice) {
  Gangs gangs;
  const std::uint64_t generation = gangs.start({1, 2}), other = gangs.start({3, 4});
  EXPECT_NE(generation, other);
  EXPECT_FALSE(gangs.end_part(3, generation, true));
  EXPECT_FALSE(gangs.end_part(1, generation, false)) << "rank 0 says how the attempt ended";
  EXPECT_FALSE(gangs.end_attempt(2, generation, ended("done"))) << "and nobody else does";
  EXPECT_TRUE(gangs.end_part(2, generation, false));
  EXPECT_FALSE(gangs.end_part(2, generation, true)) << "said twice";
  EXPECT_FALSE(gangs.end_part(2, 99, true));
  gangs.forget(generation);
  EXPECT_FALSE(gangs.end_attempt(1, generation, ended("done")));
  EXPECT_THROW(gangs.members(generation), cluster::Error);
  EXPECT_THAT(gangs.members(other), ElementsAre(3, 4));
}

}  // namespace
}  // namespace marquee::orchestrator
