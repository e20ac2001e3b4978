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
#include "workers/features/feature_network.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct SplitFeatures {
  Tensor features;                   // float32 [n, d]
  Tensor labels;                     // int64 [n]; -1 where the task's rule has none
  std::vector<std::string> skipped;  // records left out (on_bad_record: skip), with the reasons
};

// A network and the output of it that images are compared by.
struct Measure {
  const FeatureNetwork& network;
  std::string output;
};

// Images of a split of the run's task, all or the first `most`; features from
// <cache>/features-<key>.h5, or made and put there.
constexpr std::size_t kAllImages = SIZE_MAX;
SplitFeatures split_features(const experiments::RunConfig& run, const std::string& split,
                             std::size_t most, const Measure& measure,
                             const datasets::DataFolder& data, const CountProgress& progress);
// Features of the images that the run is tuned on, float32 [n, d].
Tensor training_features(const experiments::RunConfig& run, const TokenSet& tokens,
                         const Measure& measure, const datasets::DataFolder& data,
                         const CountProgress& progress);
// Images of each class in the run's reference split; those without a label are not counted. Empty:
// none has one.
std::vector<std::int64_t> reference_class_counts(const experiments::RunConfig& run, int classes,
                                                 const datasets::DataFolder& data);

struct OracleImages {
  FeatureOutputs features;
  std::vector<datasets::Image> images;  // the first `keep`
  Tensor labels;                        // int64 [n]
  std::vector<std::string> skipped;
};

// `run.samples` images drawn without replacement (all, where there are fewer): of the training
// split for oracle_real, of the reference split through the tokenizer and back for
// oracle_reconstruction.
OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const FeatureNetwork& network, const std::vector<std::string>& outputs,
                           const datasets::DataFolder& data, std::int64_t keep,
                           const CountProgress& progress);

}  // namespace marquee::workers
