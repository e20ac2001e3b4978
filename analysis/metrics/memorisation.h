// How many generated images are closer to a training image than real ones come: a few images tuned
// on for long can simply be reproduced, and every other metric rewards it.
#pragma once

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// Share of generated rows whose Euclidean distance to the nearest training row is below the 5 %
// quantile (linear interpolation) of that distance over the reference's rows: 0.05 for images like
// the real ones, 1 for copies. Features: float [n, d], [t, d], [m, d], none empty; in float64,
// direct differences. Standard error: binomial.
Estimate memorisation(const Tensor& generated, const Tensor& training, const Tensor& reference);

}  // namespace marquee::analysis
