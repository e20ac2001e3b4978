// Generation: tokens by iterative decoding, images by the tokenizer, features on the way.
#pragma once

#include "datasets/image.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/adapter.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct Samples {
  Tensor labels;                        // int64 [n]: image i has label i modulo the classes
  Tensor tokens;                        // int64 [n, N]
  Tensor features;                      // float32 [n, d], of the images as a PNG holds them
  std::vector<datasets::Image> images;  // the first `keep`
};

// Tokens of images first..first+B-1 of the run's seed with the given labels, int64 [B, N]. Noise is
// keyed by (seed, image, step), so an image can be made again alone (up to the last bits of another
// batch size).
Tensor sample_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const Adapter& adapter, const Tensor& labels, std::uint64_t first);

Samples generate(const experiments::RunConfig& run, const BaseModel& base, const Adapter& adapter,
                 int classes, std::int64_t keep, const CountProgress& progress);

}  // namespace marquee::workers
