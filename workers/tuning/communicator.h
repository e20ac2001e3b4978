// The trainers that work on one run together, as far as gradients are concerned: every rank holds
// an equal, consecutive part of the micro-batches and gets the sum over everybody's. One
// implementation per transport; the single process is LocalCommunicator. Not thread safe.
#pragma once

#include <memory>
#include <stdexcept>

#include "workers/torch.h"

namespace marquee::workers {

// A member of the gang has gone. What became of it is for the agents to say.
struct GangBroken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A sum that has been asked for.
class PendingSum {
 public:
  virtual ~PendingSum() = default;
  // Once. Its numbers are there for whatever is computed from now on, on the device of what was
  // given. Throws as Communicator::sum.
  virtual Tensor result() = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;  // a power of two
  // Collective: every rank must call, with float32 tensors of equal shapes. The sum over the ranks
  // by the tree ((0+1)+(2+3)): the same bits on every rank. Throws GangBroken.
  virtual Tensor sum(const Tensor& mine) = 0;

  // Whether sums go on beside what is computed meanwhile; else start_sum is sum.
  virtual bool overlaps() const { return false; }
  // Collective, in the same order on every rank. `mine` must not change before the result is there.
  virtual std::unique_ptr<PendingSum> start_sum(const Tensor& mine) {
    return std::make_unique<Known>(sum(mine));
  }
  // Waits until nothing of it is on its way. Whoever waits for the device otherwise could wait for
  // a member that has gone.
  virtual void settle() {}
  // From now on a rank that has been silent for so long has gone; at first none has.
  virtual void be_patient_for(double /*seconds*/) {}

 private:
  class Known : public PendingSum {
   public:
    explicit Known(Tensor sum) : sum_(std::move(sum)) {}
    Tensor result() override { return std::move(sum_); }

   private:
    Tensor sum_;
  };
};

class LocalCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Tensor sum(const Tensor& mine) override { return mine; }
};

}  // namespace marquee::workers
