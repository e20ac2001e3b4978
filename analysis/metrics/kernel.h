// Kernel distance (squared maximum mean discrepancy) with the cubic kernel (x.y / d + 1)^3,
// unbiased over all pairs: mean of Kgg and of Krr without their diagonals, minus twice the mean of
// Kgr. Source: Binkowski et al. 2018; proven by tests/metrics/features_golden_test.cpp
// (`kid/full_unbiased_float64` and the subsets).
#pragma once

#include "analysis/metrics/features.h"
#include "analysis/metrics/numpy_random.h"

namespace marquee::analysis {

// features: float [n, d], n >= 2; computed in float64, block by block.
double kernel_distance(const Tensor& generated, const Tensor& reference);

// With a standard error by the jackknife over the generated rows.
Estimate kernel_estimate(const Tensor& generated, const Tensor& reference);

// The field's tools average over random subsets instead, drawn from NumPy's RandomState; they
// differ in whose rows are drawn first.
enum class DrawnFirst { generated, reference };
struct KernelSubsets {
  std::int64_t subsets = 100, size = 1000;
  DrawnFirst drawn_first = DrawnFirst::generated;
};
// The kernel distance of each subset, float64 [subsets]. Throws usage where a set has fewer rows
// than a subset.
Tensor kernel_distances(const Tensor& generated, const Tensor& reference,
                        const KernelSubsets& subsets, NumpyRandom& random);

}  // namespace marquee::analysis
