// The trainers that work on one run together, as far as gradients are concerned: every rank holds
// an equal, consecutive part of the micro-batches and gets the sum over everybody's. One
// implementation per transport; the single process is LocalCommunicator. Not thread safe.
#pragma once

#include <stdexcept>

#include "workers/torch.h"

namespace marquee::workers {

// A member of the gang has gone. What became of it is for the agents to say.
struct GangBroken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;  // a power of two
  // Collective: every rank must call, with float32 tensors of equal shapes. The sum over the ranks
  // by the tree ((0+1)+(2+3)): the same bits on every rank. Throws GangBroken.
  virtual Tensor sum(const Tensor& mine) = 0;
};

class LocalCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Tensor sum(const Tensor& mine) override { return mine; }
};

}  // namespace marquee::workers
