#include "orchestrator/scheduling/placement.h"

#include <gmock/gmock.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using testing::ElementsAre;

const std::map<std::string, std::vector<int>> kIdle{{"a", {1, 2, 3}}, {"b", {4, 5}}, {"c", {6}}};

TEST(Placement, TakesTheHostThatTheRunFillsBest) {
  EXPECT_THAT(choose_agents(kIdle, 2), ElementsAre(4, 5));
  EXPECT_THAT(choose_agents(kIdle, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(choose_agents(kIdle, 1), ElementsAre(6));
}

TEST(Placement, TakesAsFewHostsAsWillDo) {
  EXPECT_THAT(choose_agents(kIdle, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(choose_agents(kIdle, 6), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Placement, NeedsEnough) {
  EXPECT_THROW(choose_agents(kIdle, 7), cluster::Error);
}

}  // namespace
}  // namespace marquee::orchestrator
