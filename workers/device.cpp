#include "workers/device.h"

#include <algorithm>
#include <cstdlib>

#include "cluster/error.h"

#ifdef MARQUEE_CUDA
#include <cuda_runtime_api.h>
#endif

namespace marquee::workers {
namespace {

torch::Device choose_device() {
  const char* named = std::getenv("MARQUEE_DEVICE");
  const std::string wanted = named == nullptr ? "" : named;
  if (!wanted.empty() && wanted != "cpu" && wanted != "cuda")
    cluster::throw_environment("MARQUEE_DEVICE=" + wanted + ": expected cpu or cuda");
  if (wanted == "cpu") return torch::kCPU;
  // Read when cuBLAS starts: without it its deterministic products do not exist.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*replace=*/0);
  if (!torch::cuda::is_available()) {
    if (wanted == "cuda")
      cluster::throw_environment("MARQUEE_DEVICE=cuda, and LibTorch finds no GPU here");
    return torch::kCPU;
  }
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setBenchmarkCuDNN(false);
  return {torch::kCUDA, 0};
}

}  // namespace

torch::Device compute_device() {
  static const torch::Device device = choose_device();
  return device;
}

DeterministicKernels::DeterministicKernels(const torch::Device& device)
    : before_(at::globalContext().deterministicAlgorithms()) {
  if (!device.is_cpu()) at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
}

DeterministicKernels::~DeterministicKernels() {
  at::globalContext().setDeterministicAlgorithms(before_, /*warn_only=*/false);
}

nlohmann::json describe_device(const torch::Device& device) {
  if (device.is_cpu()) return {{"device", "cpu"}};
#ifdef MARQUEE_CUDA
  cudaDeviceProp properties{};
  int runtime = 0, driver = 0;
  if (cudaGetDeviceProperties(&properties, std::max<int>(device.index(), 0)) != cudaSuccess ||
      cudaRuntimeGetVersion(&runtime) != cudaSuccess ||
      cudaDriverGetVersion(&driver) != cudaSuccess)
    cluster::throw_environment("CUDA says nothing about the GPU that runs are computed on");
  return {{"device", properties.name},
          {"cuda", runtime},
          {"cuda_driver", driver},
          {"deterministic_kernels", "in tuning"}};
#else
  return {{"device", device.str()}};
#endif
}

}  // namespace marquee::workers
