// Features as most tests draw them.
#pragma once

#include <cstdint>

#include "workers/torch.h"

namespace marquee::analysis {

// Standard normal numbers [n, d], float32.
inline torch::Tensor normal(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({n, d});
}

}  // namespace marquee::analysis
