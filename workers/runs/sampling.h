// Generation: tokens by iterative decoding, images by the tokenizer, features on the way.
#pragma once

#include "datasets/image.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/features/feature_network.h"
#include "workers/tuning/adapter.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct Samples {
  Tensor labels;            // int64 [n]: labels_of_samples, unless the run's marquee header ends
                            // elsewhere
  Tensor tokens;            // int64 [n, N]
  FeatureOutputs features;  // of the images as a PNG holds them
  std::vector<datasets::Image> images;  // the first `keep`
};

// What image `index` of the run is asked for, [1] each.
Subjects subjects_of_image(const experiments::RunConfig& run, std::int64_t index,
                           const TaskClasses& task);

// Tokens of image `index` of the run's samples alone, int64 [1, N], for subjects [1]: the same bits
// as among the others at one thread. It is decoded in its own row of its batch, the other rows
// filled with the same subject.
Tensor sample_image_tokens(const experiments::RunConfig& run, const Adapter& adapter,
                           const Subjects& subjects, std::int64_t index,
                           const FrameObserver& observe = {});

// `outputs`: of the network, of every image; without a network no features. Tokens are decoded
// where the tokenizer's weights are, features computed on the CPU. `observe` sees the steps of the
// first batch.
Samples generate(const experiments::RunConfig& run, const BaseTokenizer& tokenizer,
                 const Adapter& adapter, const TaskClasses& task, const FeatureNetwork* network,
                 const std::vector<std::string>& outputs, std::int64_t keep,
                 const CountProgress& progress, const FrameObserver& observe = {});

}  // namespace marquee::workers
