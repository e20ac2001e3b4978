#include "workers/runs/sampling.h"

#include "workers/image_tensor.h"
#include "workers/models/decode.h"

namespace marquee::workers {

Tensor sample_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const Adapter& adapter, const Tensor& labels, std::uint64_t first) {
  const torch::InferenceMode inference;
  const TransformerConfig& model = base.transformer_config;
  DecodeOptions options;
  options.steps = run.decode_steps;
  options.choice_temperature = static_cast<float>(run.choice_temperature);
  options.schedule = parse_mask_schedule(run.mask_schedule);
  const Tensor ids = decode_tokens(
      options, adapter.initial_ids(labels),
      [&](const Tensor& now, std::int64_t) { return adapter.decode_logits(now, labels); },
      [&](std::int64_t step) {
        return philox_noise(run.seed, first, labels.size(0), step, model.positions(),
                            model.codebook);
      });
  return ids.narrow(1, 1, model.tokens());
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
    tokens.push_back(sample_tokens(run, base, adapter, labels, static_cast<std::uint64_t>(first)));
    const Tensor images = decode_ids(base.tokenizer_config, base.tokenizer, tokens.back());
    features.push_back(
        image_features(base.feature_config, base.features, rounded_to_levels(images)));
    append_images(images, keep, samples.images);
  }
  samples.tokens = at::cat(tokens);
  samples.features = at::cat(features);
  return samples;
}

}  // namespace marquee::workers
