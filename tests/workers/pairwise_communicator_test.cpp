// Sums over a gang by pairs have the bits of the tree over all ranks, whatever the size of a chunk.
#include "workers/gang/pairwise_communicator.h"

#include <barrier>
#include <thread>

#include <gtest/gtest.h>

#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

// Ranks as threads that all swap at once.
class Meeting {
 public:
  Meeting(int size, std::size_t largest)
      : largest_(largest), given_(static_cast<std::size_t>(size)), barrier_(size) {}

  class Courier : public GangCourier {
   public:
    Courier(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
    std::size_t largest() const override { return meeting_.largest_; }
    std::span<const float> swap(int partner, std::span<const float> mine) override {
      EXPECT_LE(mine.size(), largest());
      meeting_.given_[static_cast<std::size_t>(rank_)].assign(mine.begin(), mine.end());
      meeting_.barrier_.arrive_and_wait();
      theirs_ = meeting_.given_[static_cast<std::size_t>(partner)];
      meeting_.barrier_.arrive_and_wait();
      return theirs_;
    }

   private:
    Meeting& meeting_;
    int rank_;
    std::vector<float> theirs_;
  };

 private:
  std::size_t largest_;
  std::vector<std::vector<float>> given_;
  std::barrier<> barrier_;
};

TEST(PairwiseCommunicator, SumsHaveTheBitsOfTheTreeOnEveryRank) {
  for (const int size : {2, 4, 8}) {
    for (const std::size_t largest : {std::size_t{7}, std::size_t{1000}}) {
      std::vector<Tensor> parts, sums(static_cast<std::size_t>(size));
      for (int rank = 0; rank < size; ++rank)
        parts.push_back(torch::randn({5, 23}) * std::pow(10.0, rank % 3));
      const Tensor expected = tree_sum(parts);
      Meeting meeting(size, largest);
      std::vector<std::thread> ranks;
      for (int rank = 0; rank < size; ++rank) {
        ranks.emplace_back([&, rank] {
          Meeting::Courier courier(meeting, rank);
          const auto place = static_cast<std::size_t>(rank);
          sums[place] = PairwiseCommunicator(courier, rank, size).sum(parts[place]);
        });
      }
      for (std::thread& rank : ranks) rank.join();
      for (const Tensor& sum : sums) EXPECT_TRUE(sum.equal(expected)) << size << " " << largest;
    }
  }
}

TEST(PairwiseCommunicator, OneRankSayingSoIsEnough) {
  Meeting meeting(4, 100);
  std::vector<std::thread> ranks;
  std::vector<int> said(4, 0);
  for (int rank = 0; rank < 4; ++rank) {
    ranks.emplace_back([&, rank] {
      Meeting::Courier courier(meeting, rank);
      PairwiseCommunicator gang(courier, rank, 4);
      const bool nobody = any_rank(gang, false), one = any_rank(gang, rank == 2);
      said[static_cast<std::size_t>(rank)] = (nobody ? 10 : 0) + (one ? 1 : 0);
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_EQ(said, std::vector<int>(4, 1));
}

}  // namespace
}  // namespace marquee::workers
