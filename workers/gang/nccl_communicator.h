// Gradients between the GPUs of a gang over NCCL, on a stream of their own. Nothing here waits
// inside NCCL or CUDA: whatever is awaited is polled, so that a member's death ends in an error and
// not in silence. Any failure aborts the communicator for good; a gang that goes on is a new one,
// with a new id.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "workers/gang/nccl_library.h"
#include "workers/gang/side_stream.h"
#include "workers/tuning/communicator.h"

namespace marquee::workers {

// What the ranks of one gang share: made by rank 0, carried to the others by their agents.
using NcclId = std::array<std::byte, sizeof(nccl::UniqueId)>;

std::string hex_of(const NcclId& id);
// Throws environment for anything but what hex_of gives.
NcclId nccl_id_of(const std::string& hex);

struct NcclWaiting {
  double join_seconds = 120.0;  // every rank must have joined within
  double leave_seconds = 10.0;  // and in the end a rank that leaves waits for the others
  // Called again and again while something is awaited; may throw GangBroken.
  std::function<void()> watch = [] {};
  // Called after a failure, before it is told: may throw GangBroken when a member's death is known
  // to be the reason.
  std::function<void()> before_blame = [] {};
};

class NcclCommunicator : public Communicator {
 public:
  static NcclId make_id(const NcclLibrary& library);

  // Collective over `size` processes (a power of two). Throws environment, here and later, where
  // NCCL fails or a rank has been silent for too long.
  NcclCommunicator(const NcclLibrary& library, std::unique_ptr<SideStream> stream, const NcclId& id,
                   int rank, int size, NcclWaiting waiting);
  // Collective, but ends within seconds where others do not come.
  ~NcclCommunicator() override;
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool overlaps() const override { return true; }
  Tensor sum(const Tensor& mine) override { return start_sum(mine)->result(); }
  // Each rank adds up a slice of everybody's numbers by the tree, then all gather the slices.
  // Tensors on the host travel through the device without waiting for what is computed there.
  std::unique_ptr<PendingSum> start_sum(const Tensor& mine) override;
  void settle() override;
  void be_patient_for(double seconds) override { patience_ = seconds; }

  // Aborts it, whatever is on its way.
  void give_up() { abort(); }
  // False once it has been aborted.
  bool usable() const { return communicator_ != nullptr && standing_ == Standing::ready; }

 private:
  enum class Standing { joining, ready, broken };
  struct Transfer;
  class Pending;

  // `result` of a call to NCCL: then until NCCL has taken it in.
  void check(int result, const char* what);
  void poll_until(const std::function<bool()>& done, const char* what);
  bool taken_in(const char* what);
  void await(StreamMark& mark, const char* what);
  void exchange_slices(const Transfer& transfer);
  void abort() noexcept;
  [[noreturn]] void fail(const std::string& what, const std::string& why);

  const NcclLibrary& library_;
  std::deque<std::shared_ptr<Transfer>> in_flight_;  // whose memory the stream may use
  std::unique_ptr<SideStream> stream_;
  int rank_, size_;
  NcclWaiting waiting_;
  double patience_;
  int exceptions_;  // that were on their way when it was made
  Standing standing_ = Standing::joining;
  nccl::Communicator* communicator_ = nullptr;
};

}  // namespace marquee::workers
