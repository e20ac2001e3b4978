// Real images as the metrics see them: features of a task's test images (cached by content), of
// training images and of reconstructions for the oracle rows.
#pragma once

#include <filesystem>

#include "datasets/image.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

// Features of all test images, float32 [n, d]; from <cache>/features-<key>.h5 or made and put
// there.
Tensor test_features(const experiments::RunConfig& run, const BaseModel& base,
                     const std::filesystem::path& data_dir, const std::filesystem::path& cache,
                     const CountProgress& progress);

struct OracleImages {
  Tensor features;                      // float32 [n, d]
  std::vector<datasets::Image> images;  // the first `keep`
  Tensor labels;                        // int64 [n]
};

// `run.samples` images drawn without replacement (all, where there are fewer): of the training
// split for oracle_real, of the test split through the tokenizer and back for
// oracle_reconstruction.
OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const std::filesystem::path& data_dir, std::int64_t keep,
                           const CountProgress& progress);

}  // namespace marquee::workers
