// The Inception Score: exp of the mean over images of KL(p(y|x) || p(y)). Source: Salimans et al.
// 2016; proven by features.h5 (`inception_score`).
#pragma once

#include <cstdint>
#include <optional>

#include "analysis/metrics/features.h"

namespace marquee::analysis {

struct InceptionScore {
  Tensor splits;                   // float64 [splits]: of images [i n / splits, (i + 1) n / splits)
  double mean = 0, deviation = 0;  // over the splits, ddof 0
};

// logits: float [n, classes], without the last layer's bias where the field's tools are followed;
// softmax in float64. `shuffle_seed`: rows are taken in the order of NumPy's
// RandomState(seed).permutation(n). Throws usage for fewer rows than splits.
InceptionScore inception_score(const Tensor& logits, int splits,
                               std::optional<std::uint32_t> shuffle_seed);

// Of all images at once, with a standard error by bootstrap over images (Philox stream (seed,
// bootstrap)).
Estimate inception_estimate(const Tensor& logits, std::uint64_t seed, int resamples = 20);

}  // namespace marquee::analysis
