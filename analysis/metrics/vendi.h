// The Vendi score: how many different images a set amounts to: exp of the entropy of the
// eigenvalues of K / n, K the cosine similarities. 1 for copies of one image, n for images that
// have nothing in common. Source: Friedman and Dieng 2023, kernel as dgm-eval's.
#pragma once

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// features: float [n, d], n >= 1, none of them zero (environment error); in float64, from the
// smaller of the two Gram matrices, [n, n] or [d, d].
double vendi_score(const Tensor& features);
// With a standard error by bootstrap over images (Philox stream (seed, bootstrap)).
Estimate vendi_estimate(const Tensor& features, std::uint64_t seed, int resamples = 20);

}  // namespace marquee::analysis
