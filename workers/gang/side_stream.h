// Work that a device does in order, beside the stream that tensors are computed on. NCCL puts its
// transfers there. Not thread safe.
#pragma once

#include <functional>
#include <memory>

#include "workers/torch.h"

namespace marquee::workers {

// A point behind what a stream had been given when it was made.
class StreamMark {
 public:
  virtual ~StreamMark() = default;
  // Throws environment when the device has failed.
  virtual bool reached() = 0;
};

class SideStream {
 public:
  virtual ~SideStream() = default;
  virtual torch::Device device() const = 0;
  // As NCCL takes it: a cudaStream_t, or what stands for one (host_stream.h).
  virtual void* handle() = 0;

  // float32 memory for work of this stream.
  virtual Tensor allocate(std::int64_t numbers) = 0;
  // float32 memory on the host, to which the device can copy while the host does something else.
  virtual Tensor allocate_on_host(std::int64_t numbers) = 0;
  // Does `work`, which must not wait for the device, in the order of the stream. The host stream
  // does it in another thread; the tensors it captures must stay.
  virtual void run(std::function<void()> work) = 0;

  // What is given from now on begins when everything computed so far is done.
  virtual void wait_for_compute() = 0;
  // A tensor of the compute stream is used by what has been given.
  virtual void uses(const Tensor& tensor) = 0;
  virtual std::unique_ptr<StreamMark> mark() = 0;
  // What is computed from now on, and uses `tensor`, begins when the mark has been reached. False:
  // the host has to wait for it.
  virtual bool compute_waits_for(StreamMark& mark, const Tensor& tensor) = 0;
};

// Of a GPU that this process computes on, or a HostStream. Throws environment for a GPU in a build
// without CUDA.
std::unique_ptr<SideStream> side_stream(const torch::Device& device);

// Whether trainers that compute on `device` exchange over NCCL: on GPUs, and on CPUs where tests
// say MARQUEE_GANG=nccl.
bool gangs_over_nccl(const torch::Device& device);

}  // namespace marquee::workers
