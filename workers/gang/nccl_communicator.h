// Gradients between the GPUs of a gang over NCCL. Compiled with MARQUEE_CUDA only; libnccl.so.2 is
// opened at run time, so a machine without it still runs single-GPU trainers.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "workers/tuning/communicator.h"

namespace marquee::workers {

// What the ranks of one gang share: made by rank 0, carried to the others by their agents.
using NcclId = std::array<std::byte, 128>;

class NcclCommunicator : public Communicator {
 public:
  // Throws environment when libnccl.so.2 is missing or too old.
  static NcclId make_id();

  // Collective over `size` processes (a power of two), each with its own GPU as the current device.
  // A partner that has not answered after `deadline_seconds`, here or in sum, is an environment
  // error, and the communicator is aborted.
  NcclCommunicator(const NcclId& id, int rank, int size, double deadline_seconds);
  ~NcclCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  // Tensors on the CPU travel through the current device and come back.
  Tensor sum(const Tensor& mine) override;

 private:
  struct State;
  void wait_for_stream(const char* what);

  std::unique_ptr<State> state_;
  int rank_, size_;
  double deadline_seconds_;
};

}  // namespace marquee::workers
