// Vector quantisation, the same in both tokenizers: a map of vectors <-> ids of a codebook.
#pragma once

#include "workers/torch.h"

namespace marquee::workers {

struct Quantised {
  Tensor ids;      // int64 [B, h*w], raster order
  Tensor vectors;  // [B, E, h, w], rows of the codebook
};

// encoded [B, E, h, w], codebook [K, E]. Nearest code by squared Euclidean distance; the lowest
// index wins a tie.
Quantised quantise(const Tensor& codebook, const Tensor& encoded);

// ids int64 [B, h*w] of a square map, in [0, K) -> [B, E, h, w]. Throws usage when an id is out of
// range.
Tensor code_vectors(const Tensor& codebook, const Tensor& ids);

}  // namespace marquee::workers
