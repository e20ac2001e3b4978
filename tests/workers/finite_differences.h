// Gradients of a loss against central differences along random directions, in float64.
#pragma once

#include <functional>

#include "workers/models/parameters.h"

namespace marquee::workers {

// Backpropagates `loss` once, and compares the derivative along a direction of each of `trained`
// (leaves that `loss` reads, float64, without gradients) alone, and of all together. Values are
// left as they were, but for rounding.
void expect_finite_differences(const std::function<Tensor()>& loss, ParameterMap& trained);

}  // namespace marquee::workers
