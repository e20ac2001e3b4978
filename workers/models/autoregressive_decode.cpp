#include "workers/models/autoregressive_decode.h"

#include <limits>
#include <memory>

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

}  // namespace

Tensor filter_logits(const Tensor& logits, const SamplingOptions& options) {
  MARQUEE_CHECK(logits.dim() == 2 && options.temperature >= 0 && options.top_k >= 0,
                "filter_logits: logits [B, V], temperature and top_k not below 0");
  Tensor kept = logits.to(torch::kFloat32);
  if (options.temperature > 0) kept = kept / options.temperature;
  if (options.top_k > 0 && options.top_k < kept.size(1)) {
    const Tensor least = std::get<0>(kept.topk(options.top_k, 1)).narrow(1, options.top_k - 1, 1);
    kept = kept.masked_fill(kept < least, kRemoved);
  }
  if (options.top_p < 1.0) {
    const auto [sorted, order] = kept.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
    const Tensor probability = sorted.softmax(1);
    const Tensor before = probability.cumsum(1) > options.top_p;
    // What stands behind the one that crosses top_p goes.
    const Tensor remove = at::cat(
        {torch::zeros_like(before.narrow(1, 0, 1)), before.narrow(1, 0, before.size(1) - 1)}, 1);
    kept = kept.masked_fill(torch::zeros_like(remove).scatter(1, order, remove), kRemoved);
  }
  return kept;
}

Tensor pick(const Tensor& probabilities, const Tensor& uniform) {
  const std::int64_t size = probabilities.size(1);
  const Tensor sums = probabilities.to(torch::kFloat64).cumsum(1);
  const Tensor first =
      torch::searchsorted(sums, uniform.unsqueeze(1), /*out_int32=*/false, /*right=*/true)
          .squeeze(1);
  const Tensor last = size - 1 - (probabilities > 0).to(torch::kUInt8).flip({1}).argmax(1);
  return torch::minimum(first, last);
}

Tensor decode_sequence(const SamplingOptions& options, const Tensor& known, const Tensor& uniform,
                       const NextLogits& next, const SequenceObserver& observe) {
  MARQUEE_CHECK(known.dim() == 2 && known.scalar_type() == torch::kInt64 && uniform.dim() == 2 &&
                    uniform.size(1) == known.size(0),
                "decode_sequence: known tokens must be int64 [B, t], uniform numbers [steps, B]");
  const std::int64_t start = known.size(1), steps = uniform.size(0);
  const Tensor numbers = uniform.to(known.device());
  const Tensor tokens = at::cat({known, torch::zeros({known.size(0), steps}, known.options())}, 1);
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor logits = next(tokens.narrow(1, 0, start + step)).to(torch::kFloat32);
    const Tensor filtered = filter_logits(logits, options);
    const Tensor probabilities = filtered.softmax(1);
    const Tensor picked =
        options.temperature == 0 ? probabilities.argmax(1) : pick(probabilities, numbers[step]);
    if (observe) observe({step, logits, filtered, probabilities, picked});
    tokens.select(1, start + step).copy_(picked);
  }
  return tokens;
}

NextLogits cached_logits(const GptConfig& config, const ParameterMap& parameters,
                         const Tensor& prefix, std::int64_t tokens) {
  const std::int64_t front = prefix.size(1);
  auto cache =
      std::make_shared<KeyValueCache>(config, parameters, prefix.size(0), front + tokens - 1);
  return [=, &config, &parameters](const Tensor& now) {
    // What the cache lacks: all at first, then the newest token.
    const std::int64_t fed = cache->length() == 0 ? 0 : cache->length() - front;
    std::vector<Tensor> parts;
    if (cache->length() == 0) parts.push_back(prefix);
    if (now.size(1) > fed) {
      parts.push_back(
          gpt_embed(config, parameters, now.narrow(1, fed, now.size(1) - fed), 1 + fed));
    }
    const Tensor hidden = gpt_hidden(config, parameters, at::cat(parts, 1), *cache);
    return gpt_logits(parameters, hidden.select(1, hidden.size(1) - 1));
  };
}

Tensor philox_uniform(std::uint64_t seed, std::uint64_t first_image, std::int64_t batch,
                      std::int64_t steps) {
  Tensor values = torch::empty({steps, batch}, torch::kFloat64);
  double* value = values.data_ptr<double>();
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t row = 0; row < batch; ++row) {
      PhiloxStream stream(seed, cluster::Purpose::decode_sample, static_cast<std::uint64_t>(step),
                          first_image + static_cast<std::uint64_t>(row));
      *value++ = stream.uniform_double();
    }
  }
  return values;
}

}  // namespace marquee::workers
