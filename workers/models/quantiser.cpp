#include "workers/models/quantiser.h"

#include <cmath>

#include "cluster/error.h"

namespace marquee::workers {

Quantised quantise(const Tensor& codebook, const Tensor& encoded) {
  const std::int64_t batch = encoded.size(0), height = encoded.size(2), width = encoded.size(3);
  const Tensor flat = encoded.permute({0, 2, 3, 1}).reshape({-1, codebook.size(1)});
  const Tensor distance = flat.square().sum(1, /*keepdim=*/true) - 2 * flat.matmul(codebook.t()) +
                          codebook.square().sum(1).unsqueeze(0);
  const Tensor ids = distance.argmin(1);
  return {ids.reshape({batch, height * width}),
          codebook.index_select(0, ids).reshape({batch, height, width, -1}).permute({0, 3, 1, 2})};
}

Tensor code_vectors(const Tensor& codebook, const Tensor& ids) {
  const auto side =
      static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(ids.size(1)))));
  MARQUEE_CHECK(ids.dim() == 2 && side * side == ids.size(1),
                "code_vectors: ids must be [B, h*w] of a square");
  if (ids.numel() > 0) {
    const auto low = ids.min().item<std::int64_t>(), high = ids.max().item<std::int64_t>();
    if (low < 0 || high >= codebook.size(0)) {
      cluster::throw_usage("token id " + std::to_string(low < 0 ? low : high) +
                           " lies outside the codebook of " + std::to_string(codebook.size(0)) +
                           " codes");
    }
  }
  return codebook.index_select(0, ids.reshape({-1}))
      .reshape({ids.size(0), side, side, codebook.size(1)})
      .permute({0, 3, 1, 2});
}

}  // namespace marquee::workers
