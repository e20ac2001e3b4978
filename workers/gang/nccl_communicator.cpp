#include "workers/gang/nccl_communicator.h"

#include <bit>
#include <cstring>
#include <exception>
#include <limits>

#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

constexpr double kImpatientSeconds = 0.002;  // polled without a pause for so long
constexpr useconds_t kPollMicroseconds = 200;
constexpr const char* kBroken = "the gang has broken";

}  // namespace

struct NcclCommunicator::Transfer {
  Tensor mine;                               // as given
  Tensor outgoing, incoming, slice, result;  // [size * slice], [size * slice], [slice], as first
  Tensor on_host;                            // where the numbers came from the host
  std::unique_ptr<StreamMark> done;
};

class NcclCommunicator::Pending : public PendingSum {
 public:
  Pending(NcclCommunicator& gang, std::shared_ptr<Transfer> transfer)
      : gang_(gang), transfer_(std::move(transfer)) {}

  Tensor result() override {
    const Tensor& numbers = transfer_->on_host.defined() ? transfer_->on_host : transfer_->result;
    if (gang_.standing_ != Standing::ready) gang_.fail("a sum", kBroken);
    if (transfer_->on_host.defined() ||
        !gang_.stream_->compute_waits_for(*transfer_->done, transfer_->result))
      gang_.await(*transfer_->done, "a sum");
    return numbers.narrow(0, 0, transfer_->mine.numel()).view(transfer_->mine.sizes());
  }

 private:
  NcclCommunicator& gang_;
  std::shared_ptr<Transfer> transfer_;
};

std::string hex_of(const NcclId& id) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::byte byte : id) {
    hex += kDigits[std::to_integer<unsigned>(byte >> 4)];
    hex += kDigits[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return hex;
}

NcclId nccl_id_of(const std::string& hex) {
  NcclId id;
  if (hex.size() != 2 * id.size() ||
      hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    cluster::throw_environment("the id of a gang must be " + std::to_string(2 * id.size()) +
                               " hexadecimal digits");
  }
  for (std::size_t i = 0; i < id.size(); ++i)
    id[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return id;
}

NcclId NcclCommunicator::make_id(const NcclLibrary& library) {
  nccl::UniqueId unique;
  const int made = library.get_unique_id(&unique);
  if (made != nccl::kSuccess)
    cluster::throw_environment(std::string("NCCL: no id for a gang: ") +
                               library.error_string(made));
  NcclId id;
  std::memcpy(id.data(), &unique, sizeof unique);
  return id;
}

NcclCommunicator::NcclCommunicator(const NcclLibrary& library, std::unique_ptr<SideStream> stream,
                                   const NcclId& id, int rank, int size, NcclWaiting waiting)
    : library_(library),
      stream_(std::move(stream)),
      rank_(rank),
      size_(size),
      waiting_(std::move(waiting)),
      patience_(waiting_.join_seconds),
      exceptions_(std::uncaught_exceptions()) {
  MARQUEE_CHECK(
      size > 0 && std::has_single_bit(static_cast<unsigned>(size)) && rank >= 0 && rank < size,
      "a gang has a power of two ranks");
  nccl::UniqueId unique;
  std::memcpy(&unique, id.data(), sizeof unique);
  nccl::Config config;
  check(library_.init_rank(&communicator_, size, unique, rank, &config), "joining the gang");
  standing_ = Standing::ready;
  patience_ = std::numeric_limits<double>::infinity();
}

NcclCommunicator::~NcclCommunicator() {
  if (communicator_ == nullptr) return;
  // Others do not come where this one leaves in the middle.
  if (std::uncaught_exceptions() > exceptions_) {
    abort();
    return;
  }
  try {
    waiting_.before_blame = [] {};
    patience_ = waiting_.leave_seconds;
    settle();
    check(library_.finalize(communicator_), "leaving the gang");
    library_.destroy(std::exchange(communicator_, nullptr));
  } catch (const std::exception& error) {
    cluster::log_warning("gang", error.what());
    abort();
  }
}

std::unique_ptr<PendingSum> NcclCommunicator::start_sum(const Tensor& mine) {
  MARQUEE_CHECK(mine.scalar_type() == torch::kFloat32, "a gang sums float32");
  if (standing_ != Standing::ready) fail("a sum", kBroken);
  while (!in_flight_.empty() && in_flight_.front()->done->reached()) in_flight_.pop_front();
  const torch::NoGradGuard no_grad;
  const bool from_host = !stream_->device().is_cpu() && mine.is_cpu();
  const std::int64_t slice = (mine.numel() + size_ - 1) / size_, all = slice * size_;
  const auto transfer = std::make_shared<Transfer>();
  transfer->mine = mine.detach();
  transfer->outgoing = stream_->allocate(all);
  transfer->incoming = stream_->allocate(all);
  transfer->slice = stream_->allocate(slice);
  transfer->result = stream_->allocate(all);
  if (from_host) {
    transfer->on_host = stream_->allocate_on_host(all);
  } else {
    MARQUEE_CHECK(mine.device() == stream_->device(), "a sum of numbers on another device");
    stream_->wait_for_compute();
    stream_->uses(mine);
  }
  in_flight_.push_back(transfer);
  stream_->run([transfer] {
    const std::int64_t numbers = transfer->mine.numel();
    transfer->outgoing.narrow(0, 0, numbers)
        .copy_(transfer->mine.reshape({-1}),
               /*non_blocking=*/true);
    transfer->outgoing.narrow(0, numbers, transfer->outgoing.numel() - numbers).zero_();
  });
  exchange_slices(*transfer);
  stream_->run([transfer, rank = rank_, size = size_] {
    std::vector<Tensor> parts = transfer->incoming.chunk(size);
    parts[static_cast<std::size_t>(rank)] = transfer->outgoing.chunk(size)[rank];
    transfer->slice.copy_(tree_sum(std::move(parts)));
  });
  check(library_.all_gather(transfer->slice.const_data_ptr<float>(),
                            transfer->result.data_ptr<float>(), static_cast<std::size_t>(slice),
                            nccl::kFloat32, communicator_, stream_->handle()),
        "gathering a sum");
  if (from_host)
    stream_->run([transfer] { transfer->on_host.copy_(transfer->result, /*non_blocking=*/true); });
  transfer->done = stream_->mark();
  return std::make_unique<Pending>(*this, transfer);
}

// Slice r of everybody's numbers goes to rank r.
void NcclCommunicator::exchange_slices(const Transfer& transfer) {
  const std::int64_t slice = transfer.slice.numel();
  constexpr const char* kWhat = "exchanging numbers";
  const auto begun = [&](int result) {
    if (result != nccl::kSuccess && result != nccl::kInProgress) {
      library_.group_end();
      fail(kWhat, library_.error_string(result));
    }
  };
  if (size_ == 1) return;
  const int opened = library_.group_start();
  if (opened != nccl::kSuccess) fail(kWhat, library_.error_string(opened));
  for (int peer = 0; peer < size_; ++peer) {
    if (peer == rank_) continue;
    begun(library_.send(transfer.outgoing.const_data_ptr<float>() + peer * slice,
                        static_cast<std::size_t>(slice), nccl::kFloat32, peer, communicator_,
                        stream_->handle()));
    begun(library_.recv(transfer.incoming.data_ptr<float>() + peer * slice,
                        static_cast<std::size_t>(slice), nccl::kFloat32, peer, communicator_,
                        stream_->handle()));
  }
  check(library_.group_end(), kWhat);
}

void NcclCommunicator::settle() {
  if (standing_ != Standing::ready) fail("waiting for the gang", kBroken);
  while (!in_flight_.empty()) {
    await(*in_flight_.front()->done, "waiting for the gang");
    in_flight_.pop_front();
  }
}

void NcclCommunicator::check(int result, const char* what) {
  if (result != nccl::kSuccess && result != nccl::kInProgress)
    fail(what, library_.error_string(result));
  poll_until([&] { return taken_in(what); }, what);
}

// NCCL is done with the last call. An error here may be of any call before.
bool NcclCommunicator::taken_in(const char* what) {
  int standing = nccl::kSuccess;
  const int asked = library_.async_error(communicator_, &standing);
  if (asked != nccl::kSuccess) fail(what, library_.error_string(asked));
  if (standing != nccl::kSuccess && standing != nccl::kInProgress)
    fail(what, library_.error_string(standing));
  return standing == nccl::kSuccess;
}

void NcclCommunicator::await(StreamMark& mark, const char* what) {
  poll_until([&] { return taken_in(what) && mark.reached(); }, what);
}

void NcclCommunicator::poll_until(const std::function<bool()>& done, const char* what) {
  const double began = cluster::monotonic_seconds();
  while (true) {
    try {
      if (done()) return;
      waiting_.watch();
    } catch (...) {
      abort();
      throw;
    }
    const double waited = cluster::monotonic_seconds() - began;
    if (waited > patience_) {
      fail(what, "a rank of the gang has been silent for " +
                     std::to_string(static_cast<int>(patience_)) + " s");
    }
    if (waited > kImpatientSeconds) usleep(kPollMicroseconds);
  }
}

void NcclCommunicator::abort() noexcept {
  standing_ = Standing::broken;
  if (communicator_ != nullptr) library_.abort(std::exchange(communicator_, nullptr));
}

void NcclCommunicator::fail(const std::string& what, const std::string& why) {
  abort();
  waiting_.before_blame();
  cluster::throw_environment("NCCL: " + what + ": " + why);
}

}  // namespace marquee::workers
