// The one place that includes LibTorch's C++ API. Precompiled and shared by workers,
// analysis/metrics and their tests; nothing outside those folders includes it.
#pragma once

#include <torch/torch.h>

namespace marquee::workers {
using torch::Tensor;
}  // namespace marquee::workers
