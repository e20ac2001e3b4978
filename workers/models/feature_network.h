// The small convolutional network behind `mini` metrics (fid_mini and so on): a residual classifier
// without batch statistics, so that features do not depend on the batch. Trained by `marquee
// pretrain`.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

struct FeatureConfig {
  std::vector<std::int64_t> channels{32, 64, 96,
                                     128};  // per stage, each halves the side; multiples of 8
  std::int64_t classes = 102;
  std::int64_t image_size = 64;

  std::int64_t dimension() const { return channels.back(); }  // d
  bool operator==(const FeatureConfig&) const = default;
};

ShapeMap feature_shapes(const FeatureConfig& config);
ParameterMap init_features(const FeatureConfig& config, std::uint64_t seed,
                           cluster::Purpose purpose = cluster::Purpose::init);

// images float32 [B, 3, S, S] in [0, 1] -> features [B, d]: spatial means behind the last norm.
Tensor image_features(const FeatureConfig& config, const ParameterMap& parameters,
                      const Tensor& images);
// features [B, d] -> [B, classes].
Tensor class_logits(const ParameterMap& parameters, const Tensor& features);

}  // namespace marquee::workers
