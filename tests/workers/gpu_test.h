// What the tests of the networks on a GPU share. They are compiled everywhere and run where
// MARQUEE_CUDA=ON and LibTorch finds a GPU.
#pragma once

#ifdef MARQUEE_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

#include <gtest/gtest.h>

#include "workers/models/parameters.h"

namespace marquee::workers {

#ifdef MARQUEE_CUDA
// While it lives, waiting for the GPU is an error.
class WaitingIsAnError {
 public:
  WaitingIsAnError() { set(c10::cuda::SyncDebugMode::L_ERROR); }
  ~WaitingIsAnError() { set(c10::cuda::SyncDebugMode::L_DISABLED); }
  WaitingIsAnError(const WaitingIsAnError&) = delete;
  WaitingIsAnError& operator=(const WaitingIsAnError&) = delete;

 private:
  static void set(c10::cuda::SyncDebugMode mode) {
    c10::cuda::warning_state().set_sync_debug_mode(mode);
  }
};
#endif

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "LibTorch finds no GPU here";
    // TensorFloat-32 has 10 bits of mantissa; these tests compare with the CPU's float32.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }

  static ParameterMap on_gpu(const ParameterMap& parameters) {
    ParameterMap result;
    for (const auto& [name, tensor] : parameters) result[name] = tensor.to(torch::kCUDA);
    return result;
  }

  // Largest difference from `expected`, as a share of its largest value.
  static double deviation(const Tensor& actual, const Tensor& expected) {
    EXPECT_EQ(actual.sizes(), expected.sizes());
    const Tensor wide = expected.to(torch::kCPU, torch::kFloat64);
    const Tensor error = (actual.to(torch::kCPU, torch::kFloat64) - wide).abs();
    return (error.max() / wide.abs().max().clamp_min(1e-30)).item<double>();
  }
};

}  // namespace marquee::workers
