// Kernel distance (squared maximum mean discrepancy) with the cubic kernel (x.y / d + 1)^3,
// unbiased over all pairs: mean of Kgg and of Krr without their diagonals, minus twice the mean of
// Kgr. Source: Binkowski et al. 2018; proven by tests/metrics/features_golden_test.cpp
// (`kid/full_unbiased_float64` and the subsets).
#pragma once

#include "analysis/metrics/frechet.h"

namespace marquee::analysis {

// features: float [n, d], n >= 2; computed in float64, block by block.
double kernel_distance(const Tensor& generated, const Tensor& reference);

// With a standard error by the jackknife over the generated rows.
Estimate kernel_estimate(const Tensor& generated, const Tensor& reference);

}  // namespace marquee::analysis
