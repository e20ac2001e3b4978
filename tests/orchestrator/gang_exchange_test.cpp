// Swaps between the agents of a gang: whatever the order of messages, a swap is started by both of
// its members or by none, and when all have left nobody owes anything.
#include "orchestrator/gangs/gang_exchange.h"

#include <deque>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

// Agents whose messages arrive in order between two, and in any order otherwise.
class World {
 public:
  explicit World(int size) {
    for (int rank = 0; rank < size; ++rank) {
      GangPlace place{7, rank, {}};
      for (int member = 0; member < size; ++member) place.members.push_back({member + 1, ""});
      GangExchange::Ways ways;
      ways.tell = [this, rank](int member, const PeerMessage& message) {
        messages_[{rank, member}].push_back(message);
      };
      ways.start = [this, rank](int member, std::int64_t) {
        ++started_[{rank, member}];
        moving_.push_back({rank, member});
      };
      ways.finished = [this, rank](std::int64_t sequence) { finished_[rank] = sequence; };
      members_.push_back(std::make_unique<GangExchange>(place, ways));
    }
  }

  GangExchange& member(int rank) { return *members_[static_cast<std::size_t>(rank)]; }
  std::int64_t finished(int rank) { return finished_[rank]; }
  int started(int rank, int other) { return started_[{rank, other}]; }

  // One message arrives or one swap ends, chosen by `pick`; false when there is none.
  bool step(std::mt19937& pick) {
    std::vector<std::pair<int, int>> ways;
    for (const auto& [way, queue] : messages_)
      if (!queue.empty()) ways.push_back(way);
    // A swap moves only once both sides have started it.
    std::vector<std::size_t> movable;
    for (std::size_t i = 0; i < moving_.size(); ++i) {
      const auto [rank, other] = moving_[i];
      if (started_[{other, rank}] >= started_[{rank, other}]) movable.push_back(i);
    }
    const std::size_t choices = ways.size() + movable.size();
    if (choices == 0) return false;
    const std::size_t chosen = pick() % choices;
    if (chosen < ways.size()) {
      const auto [from, to] = ways[chosen];
      const PeerMessage message = messages_[{from, to}].front();
      messages_[{from, to}].pop_front();
      member(to).take(from, message);
    } else {
      const std::size_t place = movable[chosen - ways.size()];
      const int rank = moving_[place].first;
      moving_.erase(moving_.begin() + static_cast<std::ptrdiff_t>(place));
      member(rank).swapped();
    }
    return true;
  }

 private:
  std::vector<std::unique_ptr<GangExchange>> members_;
  std::map<std::pair<int, int>, std::deque<PeerMessage>> messages_;
  std::map<std::pair<int, int>, int> started_;
  std::vector<std::pair<int, int>> moving_;  // member and its partner
  std::map<int, std::int64_t> finished_;
};

TEST(GangExchange, ASwapBeginsWhenBothAreReadyAndEndsForBoth) {
  World world(2);
  std::mt19937 pick(1);
  world.member(0).want(1, 1, 64);
  EXPECT_TRUE(world.member(0).waiting());
  while (world.step(pick)) {
  }
  EXPECT_EQ(world.started(0, 1), 0);
  world.member(1).want(0, 1, 64);
  while (world.step(pick)) {
  }
  EXPECT_EQ(world.started(0, 1), 1);
  EXPECT_EQ(world.started(1, 0), 1);
  EXPECT_EQ(world.finished(0), 1);
  EXPECT_EQ(world.finished(1), 1);
  EXPECT_FALSE(world.member(0).waiting());
}

TEST(GangExchange, WhatNoSwapCanBeIsRefused) {
  World world(2);
  EXPECT_THROW(world.member(0).want(0, 1, 64), cluster::Error);
  EXPECT_THROW(world.member(0).want(2, 1, 64), cluster::Error);
  world.member(0).want(1, 1, 64);
  EXPECT_THROW(world.member(0).want(1, 2, 64), cluster::Error);
  world.member(1).take(0, SwapReady{7, 1, 64});
  EXPECT_THROW(world.member(1).want(0, 1, 128), cluster::Error);
}

// Members of gangs of 2 and 4 go through the levels of sums; at a random moment one of them leaves
// (its trainer has died), and the others a random while later.
TEST(GangExchange, WhereverAMemberLeavesBothStartASwapOrNone) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 pick(seed);
    const int size = pick() % 2 == 0 ? 2 : 4;
    World world(size);
    std::vector<std::int64_t> sequence(static_cast<std::size_t>(size), 0);
    std::vector<bool> gone(static_cast<std::size_t>(size), false);
    const unsigned last = pick() % 60;
    const int victim = static_cast<int>(pick()) & (size - 1);
    for (unsigned moment = 0; moment < 200; ++moment) {
      for (int rank = 0; rank < size; ++rank) {
        auto& own = sequence[static_cast<std::size_t>(rank)];
        // A trainer asks for its next swap when it has got the one before.
        if (gone[static_cast<std::size_t>(rank)] || world.finished(rank) != own || pick() % 3 == 0)
          continue;
        const int bit = size == 2 || own % 2 == 0 ? 1 : 2;
        world.member(rank).want(rank ^ bit, ++own, 64);
      }
      for (unsigned i = pick() % 4; i > 0; --i) world.step(pick);
      for (int rank = 0; rank < size; ++rank) {
        const bool leaves = rank == victim ? moment >= last : moment >= last + 5 + pick() % 20;
        if (!leaves || gone[static_cast<std::size_t>(rank)]) continue;
        gone[static_cast<std::size_t>(rank)] = true;
        world.member(rank).leave();
      }
    }
    while (world.step(pick)) {
    }
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_TRUE(world.member(rank).settled()) << "seed " << seed << ", member " << rank;
      for (int other = 0; other < size; ++other)
        EXPECT_EQ(world.started(rank, other), world.started(other, rank)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace marquee::orchestrator
