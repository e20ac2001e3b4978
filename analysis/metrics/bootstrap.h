// Standard error of a number computed from images: its spread over sets of the same size drawn from
// them with replacement.
#pragma once

#include <cstdint>
#include <functional>

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// `value` of int64 [n] row numbers, `resamples` (2 or more) times; draws from the Philox stream
// (seed, bootstrap, 0, resample).
double bootstrap_error(std::int64_t rows, std::uint64_t seed, int resamples,
                       const std::function<double(const Tensor&)>& value);

}  // namespace marquee::analysis
