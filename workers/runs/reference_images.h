// Real images as the metrics see them: features of a task's reference split (cached by content), of
// training images and of reconstructions for the oracle rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/data_folder.h"
#include "datasets/image.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct SplitFeatures {
  Tensor features;                   // float32 [n, d]
  Tensor labels;                     // int64 [n]; -1 where the task's rule has none
  std::vector<std::string> skipped;  // records left out (on_bad_record: skip), with the reasons
};

// Images of a split of the run's task, all or the first `most`; features from
// <cache>/features-<key>.h5, or made and put there.
constexpr std::size_t kAllImages = SIZE_MAX;
SplitFeatures split_features(const experiments::RunConfig& run, const std::string& split,
                             std::size_t most, const BaseModel& base,
                             const datasets::DataFolder& data, const CountProgress& progress);
// Features of the images that the run is tuned on, float32 [n, d].
Tensor training_features(const experiments::RunConfig& run, const TokenSet& tokens,
                         const BaseModel& base, const datasets::DataFolder& data,
                         const CountProgress& progress);

struct OracleImages {
  Tensor features;                      // float32 [n, d]
  std::vector<datasets::Image> images;  // the first `keep`
  Tensor labels;                        // int64 [n]
  std::vector<std::string> skipped;
};

// `run.samples` images drawn without replacement (all, where there are fewer): of the training
// split for oracle_real, of the reference split through the tokenizer and back for
// oracle_reconstruction.
OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const datasets::DataFolder& data, std::int64_t keep,
                           const CountProgress& progress);

}  // namespace marquee::workers
