// What every metric asks of its features before it computes.
#pragma once

#include <cstdint>
#include <string>

#include "workers/torch.h"

namespace marquee::analysis {

using torch::Tensor;

// A number with the standard error that its page of docs/metrics.md names.
struct Estimate {
  double value = 0;
  double standard_error = 0;
};

// Throws environment, saying `what` ("generated", "reference"), where features are not [n, d] with
// `least` rows or more or hold a number that is not finite.
void check_features(const Tensor& features, const std::string& what, std::int64_t least);
// Both, of one width.
void check_pair(const Tensor& generated, const Tensor& reference, std::int64_t least);

}  // namespace marquee::analysis
