// Two agents' sides of a gang in one process: what their trainers put into shared memory reaches
// the other's, in whatever order things happen.
#include "orchestrator/gangs/gang_swaps.h"

#include <array>
#include <cstring>
#include <deque>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kBytes = 64;
constexpr std::uint64_t kGeneration = 3;

struct Swap {
  int tag = 0;
  std::span<const std::byte> out;
  std::span<std::byte> in;
};

// Two ranks, 0 and 1.
struct Wire {
  std::array<std::deque<std::string>, 2> messages;  // to each
  std::array<std::optional<Swap>, 2> swaps;         // of each
};

class WireEnd : public cluster::Transport {
 public:
  WireEnd(Wire& wire, int rank) : wire_(wire), rank_(static_cast<std::size_t>(rank)) {}
  int rank() const override { return static_cast<int>(rank_); }
  int size() const override { return 2; }
  void send(int rank, std::string message) override {
    wire_.messages.at(static_cast<std::size_t>(rank)).push_back(std::move(message));
  }
  std::optional<std::pair<int, std::string>> try_receive() override {
    if (wire_.messages[rank_].empty()) return std::nullopt;
    const std::string message = wire_.messages[rank_].front();
    wire_.messages[rank_].pop_front();
    return std::pair{static_cast<int>(1 - rank_), message};
  }
  void progress() override {}
  std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                           std::span<std::byte> in) override {
    EXPECT_EQ(rank, static_cast<int>(1 - rank_));
    EXPECT_FALSE(wire_.swaps[rank_]) << "one swap at a time";
    wire_.swaps[rank_] = Swap{tag, out, in};
    if (const std::optional<Swap>& other = wire_.swaps[1 - rank_]) {
      EXPECT_EQ(other->tag, tag);
      EXPECT_EQ(other->out.size(), in.size());
      std::memcpy(in.data(), other->out.data(), in.size());
      std::memcpy(other->in.data(), out.data(), out.size());
    }
    return 1;
  }
  bool swap_done(std::uint64_t) override { return wire_.swaps[0] && wire_.swaps[1]; }
  void wait(double, int) override {}
  bool woken_by_messages() const override { return false; }
  const std::string& doorbell() const override { return doorbell_; }
  void set_doorbell(int, const std::string&) override {}

 private:
  Wire& wire_;
  std::size_t rank_;
  std::string doorbell_;
};

// An agent and what its trainer hears.
struct Member {
  Member(Wire& wire, int which)
      : rank(which),
        end(wire, which),
        swaps(end),
        buffer(std::make_shared<cluster::SharedBuffer>(cluster::SharedBuffer::create(2 * kBytes))) {
  }
  void join() {
    GangPlace place{kGeneration, rank, {{0, ""}, {1, ""}}};
    swaps.join(place, [this](std::int64_t sequence) { heard.push_back(sequence); });
    swaps.share(buffer);
  }
  void want(std::int64_t sequence, char text) {
    std::memset(buffer->bytes().data(), text, kBytes);
    swaps.want({"", 1, 1 - rank, sequence, static_cast<std::int64_t>(kBytes)});
  }
  void listen() {
    while (const auto message = end.try_receive())
      swaps.take(message->first, parse_peer_message(message->second));
  }
  char came() const { return static_cast<char>(buffer->bytes()[2 * kBytes - 1]); }

  int rank;
  WireEnd end;
  GangSwaps swaps;
  std::shared_ptr<cluster::SharedBuffer> buffer;
  std::vector<std::int64_t> heard;
};

struct GangSwapsTest : testing::Test {
  Wire wire;
  Member first{wire, 0}, second{wire, 1};
};

TEST_F(GangSwapsTest, CarryWhatBothTrainersGive) {
  first.join();
  second.join();
  first.want(1, 'a');
  EXPECT_TRUE(first.swaps.waiting());
  second.want(1, 'b');
  first.listen();
  second.listen();
  first.swaps.progress();
  second.swaps.progress();
  EXPECT_EQ(first.heard, std::vector<std::int64_t>{1});
  EXPECT_EQ(second.heard, std::vector<std::int64_t>{1});
  EXPECT_EQ(first.came(), 'b');
  EXPECT_EQ(second.came(), 'a');
  EXPECT_FALSE(first.swaps.waiting());
}

TEST_F(GangSwapsTest, KeepWhatComesBeforeTheAgentIsTold) {
  first.join();
  first.want(1, 'a');
  second.listen();
  second.join();
  second.want(1, 'b');
  first.listen();
  first.swaps.progress();
  second.swaps.progress();
  EXPECT_EQ(first.came(), 'b');
  EXPECT_EQ(second.came(), 'a');
}

TEST_F(GangSwapsTest, GiveWhatIsOwedWhenTheyHaveLeft) {
  first.join();
  second.join();
  first.want(1, 'a');
  second.want(1, 'b');
  first.swaps.leave();  // its trainer has died; both have called the swap ready
  std::weak_ptr<cluster::SharedBuffer> memory = first.buffer;
  first.buffer.reset();
  first.listen();
  second.listen();
  EXPECT_FALSE(memory.expired()) << "the swap goes on";
  second.swaps.progress();
  EXPECT_EQ(second.came(), 'a');
  EXPECT_EQ(second.heard.size(), 1U);
  first.swaps.progress();
  EXPECT_TRUE(first.heard.empty());
  EXPECT_TRUE(memory.expired()) << "nothing is owed any more";
}

TEST_F(GangSwapsTest, RefuseWhatCannotBe) {
  EXPECT_THROW(first.want(1, 'a'), cluster::Error) << "no gang";
  first.join();
  EXPECT_THROW(first.swaps.want({"", 1, 1, 1, static_cast<std::int64_t>(kBytes) + 1}),
               cluster::Error)
      << "more than the memory holds";
  EXPECT_THROW(first.swaps.want({"", 1, 0, 1, 8}), cluster::Error) << "with itself";
  first.swaps.leave();
  EXPECT_THROW(first.want(1, 'a'), cluster::Error) << "it has left";
  EXPECT_FALSE(first.swaps.waiting());
}

}  // namespace
}  // namespace marquee::orchestrator
