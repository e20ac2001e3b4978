// Fréchet distance of two sets of features, each taken as a Gaussian:
//   |mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 Tr sqrt(S1 S2)
// The trace term is the sum of singular values of R1 R2^T, R the triangular factor of the centred
// data over sqrt(n - ddof): covariances are never formed, so nothing is lost by squaring, also with
// fewer rows than columns. Source: Heusel et al. 2017; proven by
// tests/metrics/features_golden_test.cpp (`fid/reference`).
#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace marquee::analysis {

using torch::Tensor;

struct Estimate {
  double value = 0;
  double standard_error = 0;
};

// features: float [n, d], n >= 2; computed in float64. ddof 1: covariance over n - 1.
double frechet_distance(const Tensor& generated, const Tensor& reference, int ddof = 1);

// With a standard error by bootstrap over the generated rows (`resamples` draws with replacement
// from the Philox stream (seed, bootstrap)).
Estimate frechet_estimate(const Tensor& generated, const Tensor& reference, std::uint64_t seed,
                          int resamples = 20);

}  // namespace marquee::analysis
