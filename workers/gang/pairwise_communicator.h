// Sums over a gang by pairs: at level k each rank swaps its sum so far with rank XOR 2^k. After the
// last level all hold the sum of the whole tree.
#pragma once

#include <span>

#include "workers/tuning/communicator.h"

namespace marquee::workers {

// Carries numbers between two ranks; both must call with each other and equal sizes, at most
// largest(). Throws GangBroken when a member has gone, which need not be this partner.
class GangCourier {
 public:
  virtual ~GangCourier() = default;
  virtual std::size_t largest() const = 0;  // numbers
  // What the partner has given; valid until the next call.
  virtual std::span<const float> swap(int partner, std::span<const float> mine) = 0;
};

class PairwiseCommunicator : public Communicator {
 public:
  // `size` a power of two. The courier must outlive it.
  PairwiseCommunicator(GangCourier& courier, int rank, int size);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Tensor sum(const Tensor& mine) override;

 private:
  GangCourier& courier_;
  int rank_, size_;
};

}  // namespace marquee::workers
