#include "workers/runs/sampling.h"

#include "cluster/error.h"
#include "workers/image_tensor.h"

namespace marquee::workers {

Tensor sample_image_tokens(const experiments::RunConfig& run, const Adapter& adapter,
                           std::int64_t label, std::int64_t index) {
  MARQUEE_CHECK(index >= 0 && index < run.samples, "sample_image_tokens: no such image");
  const std::int64_t row = index % run.decode_batch, first = index - row;
  const std::int64_t rows = std::min<std::int64_t>(run.decode_batch, run.samples - first);
  return adapter
      .sample_tokens(run, torch::full({rows}, label, torch::kInt64),
                     static_cast<std::uint64_t>(first))
      .narrow(0, row, 1);
}

Samples generate(const experiments::RunConfig& run, const BaseModel& base, const Adapter& adapter,
                 int classes, std::int64_t keep, const CountProgress& progress) {
  const torch::InferenceMode inference;
  Samples samples;
  samples.labels = torch::arange(run.samples, torch::kInt64) % classes;
  std::vector<Tensor> tokens, features;
  for (std::int64_t first = 0; first < run.samples; first += run.decode_batch) {
    progress(first, run.samples);
    const Tensor labels = samples.labels.narrow(
        0, first, std::min<std::int64_t>(run.decode_batch, run.samples - first));
    tokens.push_back(adapter.sample_tokens(run, labels, static_cast<std::uint64_t>(first)));
    const Tensor images = base.tokenizer.decode(tokens.back());
    features.push_back(
        image_features(base.feature_config, base.features, rounded_to_levels(images)));
    append_images(images, keep, samples.images);
  }
  samples.tokens = at::cat(tokens);
  samples.features = at::cat(features);
  return samples;
}

}  // namespace marquee::workers
