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

// Tokens of image `index` of the run's samples alone, int64 [1, N]: the same bits as among the
// others at one thread. It is decoded in its own row of its batch, the other rows filled with its
// label.
Tensor sample_image_tokens(const experiments::RunConfig& run, const Adapter& adapter,
                           std::int64_t label, std::int64_t index);

Samples generate(const experiments::RunConfig& run, const BaseModel& base, const Adapter& adapter,
                 int classes, std::int64_t keep, const CountProgress& progress);

}  // namespace marquee::workers
