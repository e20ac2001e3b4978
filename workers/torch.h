// The one place that includes LibTorch's C++ API. Precompiled and shared by workers,
// analysis/metrics and their tests; nothing outside those folders includes it.
// Tensors and autograd alone: with <torch/torch.h> (modules, optimisers, data loaders) every file
// pays for twice as many templates, which a precompiled header leaves to the files that include it.
#pragma once

#include <torch/autograd.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace marquee::workers {
using torch::Tensor;
}  // namespace marquee::workers
