#include "workers/gang/side_stream.h"

#include <cstdlib>

#include "cluster/error.h"
#include "workers/gang/host_stream.h"

#ifdef MARQUEE_CUDA
#include <cuda_runtime_api.h>

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace marquee::workers {

#ifdef MARQUEE_CUDA
namespace {

void check(cudaError_t result, const char* what) {
  if (result != cudaSuccess)
    cluster::throw_environment(std::string("CUDA: ") + what + ": " + cudaGetErrorString(result));
}

class Event : public StreamMark {
 public:
  explicit Event(cudaStream_t stream) {
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "no event");
    const cudaError_t recorded = cudaEventRecord(event_, stream);
    if (recorded != cudaSuccess) cudaEventDestroy(event_);
    check(recorded, "recording an event");
  }
  ~Event() override { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool reached() override {
    const cudaError_t standing = cudaEventQuery(event_);
    if (standing != cudaErrorNotReady) check(standing, "work on the GPU has failed");
    return standing == cudaSuccess;
  }
  void hold(cudaStream_t stream) const {
    check(cudaStreamWaitEvent(stream, event_, 0), "waiting for an event");
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class CudaStream : public SideStream {
 public:
  // High priority: transfers are short and others wait for them.
  CudaStream() : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true)) {}

  torch::Device device() const override { return stream_.device(); }
  void* handle() override { return stream_.stream(); }
  Tensor allocate(std::int64_t numbers) override {
    const c10::cuda::CUDAStreamGuard guard(stream_);
    return torch::empty({numbers}, torch::device(device()));
  }
  Tensor allocate_on_host(std::int64_t numbers) override {
    return torch::empty({numbers}, torch::TensorOptions().pinned_memory(true));
  }
  void run(std::function<void()> work) override {
    const torch::NoGradGuard no_grad;
    const c10::cuda::CUDAStreamGuard guard(stream_);
    work();
  }
  void wait_for_compute() override { Event(compute().stream()).hold(stream_.stream()); }
  void uses(const Tensor& tensor) override { tensor.record_stream(stream_); }
  std::unique_ptr<StreamMark> mark() override { return std::make_unique<Event>(stream_.stream()); }
  bool compute_waits_for(StreamMark& mark, const Tensor& tensor) override {
    dynamic_cast<Event&>(mark).hold(compute().stream());
    tensor.record_stream(compute());
    return true;
  }

 private:
  c10::cuda::CUDAStream compute() const {
    return c10::cuda::getCurrentCUDAStream(stream_.device_index());
  }

  c10::cuda::CUDAStream stream_;
};

}  // namespace

#endif

std::unique_ptr<SideStream> side_stream(const torch::Device& device) {
  if (device.is_cpu()) return std::make_unique<HostStream>();
#ifdef MARQUEE_CUDA
  return std::make_unique<CudaStream>();
#else
  cluster::throw_environment("this marquee-trainer was built without CUDA");
#endif
}

bool gangs_over_nccl(const torch::Device& device) {
  const char* named = std::getenv("MARQUEE_GANG");
  return !device.is_cpu() || (named != nullptr && std::string(named) == "nccl");
}

}  // namespace marquee::workers
