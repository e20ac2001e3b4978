// Fréchet distance of two sets of features, each taken as a Gaussian:
//   |mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 Tr sqrt(S1 S2)
// Source: Heusel et al. 2017; proven by tests/metrics/features_golden_test.cpp (`fid/reference`).
#pragma once

#include <cstdint>

#include "analysis/metrics/features.h"
#include "analysis/metrics/numpy_random.h"

namespace marquee::analysis {

// features: float [n, d], n >= 2; computed in float64. ddof 1: covariance over n - 1. The trace
// term is the sum of singular values of R1 R2^T, R the triangular factor of the centred data over
// sqrt(n - ddof): covariances are never formed, so nothing is lost by squaring, also with fewer
// rows than columns.
double frechet_distance(const Tensor& generated, const Tensor& reference, int ddof = 1);

// What statistics files hold: float64 [d] and [d, d].
struct FeatureStatistics {
  Tensor mean, covariance;
};
FeatureStatistics feature_statistics(const Tensor& features, int ddof = 1);

// From statistics, by a symmetric form. Of covariances of full rank: eigenvalues of L^T S2 L with
// S1 = L L^T. Else singular values of F1 F2^T with S = F^T F, F from the eigenvalues that are not
// rounding (above d * epsilon of the largest): square roots of thousands of those that are would
// add up. Throws environment, naming the side, for values that are not finite, shapes that do not
// fit, and a covariance that is not symmetric or has an eigenvalue clearly below zero.
double frechet_distance(const FeatureStatistics& generated, const FeatureStatistics& reference);

// With a standard error by bootstrap over the generated rows (`resamples` draws with replacement
// from the Philox stream (seed, bootstrap)).
Estimate frechet_estimate(const Tensor& generated, const Tensor& reference, std::uint64_t seed,
                          int resamples = 20, int ddof = 1);

// The distance for endlessly many generated images: distances of subsets of 15 sizes from
// max(2, n / 10), at most 5,000, to n against the whole reference, a straight line in 1 / size, its
// value at 0. Source: Chong and Forsyth 2020; sizes and fit as dgm-eval's. Proven by
// features.h5 (`fd_infinity`).
struct FrechetAtInfinity {
  Estimate value;  // standard error: of the line's intercept
  double slope = 0;
  std::vector<std::int64_t> sizes;
  std::vector<double> distances;
};
std::vector<std::int64_t> frechet_infinity_sizes(std::int64_t rows);
// Subsets: random.choice(n, size) in the order of the sizes.
FrechetAtInfinity frechet_at_infinity(const Tensor& generated, const Tensor& reference,
                                      NumpyRandom& random, int ddof = 1);

}  // namespace marquee::analysis
