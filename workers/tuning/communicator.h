// The trainers that work on one run together, as far as gradients are concerned: every rank holds
// an equal, consecutive part of the micro-batches and gets everybody's partial sums. One
// implementation per transport; the single process is LocalCommunicator. Not thread safe.
#pragma once

#include <vector>

#include "workers/torch.h"

namespace marquee::workers {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;  // a power of two
  // Collective: every rank must call, with equal shapes. Returns each rank's tensor, by rank.
  virtual std::vector<Tensor> all_gather(const Tensor& mine) = 0;
};

class LocalCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::vector<Tensor> all_gather(const Tensor& mine) override { return {mine}; }
};

}  // namespace marquee::workers
