#include "workers/gang/nccl_communicator.h"

#include <cstring>

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>
#include <unistd.h>

#include <c10/cuda/CUDAStream.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

static_assert(sizeof(NcclId) == sizeof(ncclUniqueId));
constexpr int kOldestVersion = 21800;  // non-blocking communicators
constexpr useconds_t kPollMicroseconds = 50;

// The functions of libnccl.so.2 that are used, with the header's types.
struct Nccl {
  decltype(&ncclGetVersion) get_version;
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRankConfig) init_rank;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclCommFinalize) finalize;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclGetErrorString) error_string;
};

const Nccl& nccl() {
  static const Nccl functions = [] {
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      cluster::throw_environment(std::string("gangs of several GPUs need NCCL: ") + dlerror());
    const auto find = [&](const char* name, auto& function) {
      void* symbol = dlsym(library, name);
      if (symbol == nullptr)
        cluster::throw_environment(std::string("libnccl.so.2 lacks ") + name +
                                   ": 2.18 or later is needed");
      function = reinterpret_cast<std::decay_t<decltype(function)>>(symbol);
    };
    Nccl found{};
    find("ncclGetVersion", found.get_version);
    find("ncclGetUniqueId", found.get_unique_id);
    find("ncclCommInitRankConfig", found.init_rank);
    find("ncclCommGetAsyncError", found.async_error);
    find("ncclAllGather", found.all_gather);
    find("ncclCommFinalize", found.finalize);
    find("ncclCommDestroy", found.destroy);
    find("ncclCommAbort", found.abort);
    find("ncclGetErrorString", found.error_string);
    int version = 0;
    if (found.get_version(&version) != ncclSuccess || version < kOldestVersion)
      cluster::throw_environment("libnccl.so.2 is version " + std::to_string(version) +
                                 "; 2.18 or later is needed");
    return found;
  }();
  return functions;
}

void check(ncclResult_t result, const char* what) {
  if (result != ncclSuccess && result != ncclInProgress)
    cluster::throw_environment(std::string("NCCL: ") + what + ": " + nccl().error_string(result));
}

void check(cudaError_t result, const char* what) {
  if (result != cudaSuccess)
    cluster::throw_environment(std::string("CUDA: ") + what + ": " + cudaGetErrorString(result));
}

}  // namespace

struct NcclCommunicator::State {
  ncclComm_t communicator = nullptr;
  bool broken = false;
  ~State() {
    if (communicator == nullptr) return;
    if (broken) {
      nccl().abort(communicator);
    } else {
      nccl().destroy(communicator);
    }
  }
};

NcclId NcclCommunicator::make_id() {
  ncclUniqueId unique;
  check(nccl().get_unique_id(&unique), "no id for a gang");
  NcclId id;
  std::memcpy(id.data(), &unique, sizeof unique);
  return id;
}

NcclCommunicator::NcclCommunicator(const NcclId& id, int rank, int size, double deadline_seconds)
    : state_(std::make_unique<State>()),
      rank_(rank),
      size_(size),
      deadline_seconds_(deadline_seconds) {
  MARQUEE_CHECK(size > 0 && (size & (size - 1)) == 0 && rank >= 0 && rank < size,
                "a gang has a power of two ranks");
  ncclUniqueId unique;
  std::memcpy(&unique, id.data(), sizeof unique);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  state_->broken = true;  // until every partner has answered
  check(nccl().init_rank(&state_->communicator, size, unique, rank, &config), "joining the gang");
  wait_for_stream("joining the gang");
  state_->broken = false;
}

NcclCommunicator::~NcclCommunicator() {
  if (!state_->broken && nccl().finalize(state_->communicator) != ncclSuccess) {
    try {
      state_->broken = true;
      wait_for_stream("leaving the gang");
      state_->broken = false;
    } catch (const cluster::Error&) {
      // A partner has gone; the communicator is aborted.
    }
  }
}

// Everybody's numbers, added by the tree: NCCL's own sums have other bits for other sizes.
Tensor NcclCommunicator::sum(const Tensor& mine) {
  MARQUEE_CHECK(!state_->broken, "a sum after the gang has broken");
  MARQUEE_CHECK(mine.scalar_type() == torch::kFloat32, "a gang sums float32");
  const Tensor source = mine.to(torch::kCUDA).contiguous();
  const Tensor gathered = torch::empty({size_, source.numel()}, source.options());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  state_->broken = true;
  check(nccl().all_gather(source.const_data_ptr<float>(), gathered.data_ptr<float>(),
                          static_cast<std::size_t>(source.numel()), ncclFloat32,
                          state_->communicator, stream),
        "gathering gradients");
  wait_for_stream("gathering gradients");
  state_->broken = false;
  std::vector<Tensor> parts;
  for (int rank = 0; rank < size_; ++rank) parts.push_back(gathered[rank].view(mine.sizes()));
  return tree_sum(std::move(parts)).to(mine.device());
}

// Never blocks inside NCCL or CUDA: a partner's death must end in an error, not in silence.
void NcclCommunicator::wait_for_stream(const char* what) {
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  const double give_up = cluster::monotonic_seconds() + deadline_seconds_;
  while (true) {
    ncclResult_t progress = ncclSuccess;
    check(nccl().async_error(state_->communicator, &progress), what);
    check(progress, what);
    if (progress == ncclSuccess) {
      const cudaError_t done = cudaStreamQuery(stream);
      if (done == cudaSuccess) return;
      if (done != cudaErrorNotReady) check(done, what);
    }
    if (cluster::monotonic_seconds() > give_up) {
      cluster::throw_environment(std::string("NCCL: ") + what + ": a partner has been silent for " +
                                 std::to_string(static_cast<int>(deadline_seconds_)) + " s");
    }
    usleep(kPollMicroseconds);
  }
}

}  // namespace marquee::workers
