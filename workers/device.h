// Where this process computes runs: on the GPU that it sees, else on the CPU.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "workers/torch.h"

namespace marquee::workers {

// The first GPU that CUDA_VISIBLE_DEVICES leaves, in a build with CUDA and where MARQUEE_DEVICE
// does not say cpu. Called for the first time it sets LibTorch up: float32 products in float32 and
// not in TensorFloat-32. Throws environment for another value of MARQUEE_DEVICE, and where it says
// cuda and there is none.
torch::Device compute_device();

// While it lives, what is computed on a GPU has the same bits each time; an operator of LibTorch
// that cannot is an error. The CPU's always have. Tuning needs it: attention's way back is faster
// and random otherwise. Sampling only goes forward.
class DeterministicKernels {
 public:
  explicit DeterministicKernels(const torch::Device& device);
  ~DeterministicKernels();
  DeterministicKernels(const DeterministicKernels&) = delete;
  DeterministicKernels& operator=(const DeterministicKernels&) = delete;

 private:
  bool before_;
};

// For fingerprints: {"device": "cpu"}; of a GPU its name, the CUDA that LibTorch was built with and
// the driver's.
nlohmann::json describe_device(const torch::Device& device);

}  // namespace marquee::workers
