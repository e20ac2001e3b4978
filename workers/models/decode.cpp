#include "workers/models/decode.h"

#include <cmath>
#include <limits>

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {

Tensor decode_tokens(const DecodeOptions& options, const Tensor& initial_ids,
                     const LogitsFunction& logits, const NoiseFunction& noise,
                     const DecodeObserver& observe) {
  MARQUEE_CHECK(initial_ids.dim() == 2 && initial_ids.scalar_type() == torch::kInt64,
                "decode_tokens: ids must be int64 [B, P]");
  MARQUEE_CHECK(options.steps > 0 && options.start_step >= 0 && options.start_step < options.steps,
                "decode_tokens: start_step must lie in [0, steps)");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::int64_t batch = initial_ids.size(0);
  const Tensor initial_unknown = (initial_ids == -1).sum(1);

  Tensor ids = initial_ids;
  Tensor sampled = initial_ids;
  for (std::int64_t step = options.start_step; step < options.steps; ++step) {
    const Tensor unknown = ids == -1;
    const Tensor step_logits = logits(ids, step);
    const DecodeNoise step_noise = noise(step);

    // A categorical sample is the argmax of logits plus Gumbel noise.
    const Tensor drawn = (step_logits + step_noise.sample).argmax(-1);
    sampled = torch::where(unknown, drawn, ids);
    const Tensor log_probability =
        step_logits.gather(-1, drawn.unsqueeze(-1)).squeeze(-1) - step_logits.logsumexp(-1);
    const Tensor probability = torch::where(unknown, log_probability.exp(), kInfinity);

    const float ratio = static_cast<float>(step + 1) / static_cast<float>(options.steps);
    const float noise_scale = options.choice_temperature * (1.0F - ratio);
    const Tensor confidence =
        torch::where(unknown, log_probability + noise_scale * step_noise.choice, kInfinity);

    const Tensor unknown_now = unknown.sum(1);
    Tensor counts = torch::empty({batch, 1}, torch::kInt64);
    for (std::int64_t row = 0; row < batch; ++row) {
      counts[row][0] = decode_count(options.schedule, step, options.steps,
                                    initial_unknown[row].item<std::int64_t>(),
                                    unknown_now[row].item<std::int64_t>());
    }
    const Tensor threshold = std::get<0>(confidence.sort(1)).gather(1, counts);
    const Tensor mask = confidence < threshold;
    if (observe) observe({step, ids, sampled, probability, confidence, mask, counts.squeeze(1)});
    ids = sampled.masked_fill(mask, -1);
  }
  return sampled;
}

DecodeNoise philox_noise(std::uint64_t seed, std::uint64_t first_image, std::int64_t batch,
                         std::int64_t step, std::int64_t positions, std::int64_t codes) {
  DecodeNoise noise{torch::empty({batch, positions, codes}), torch::empty({batch, positions})};
  for (std::int64_t row = 0; row < batch; ++row) {
    const std::uint64_t image = first_image + static_cast<std::uint64_t>(row);
    const auto at_step = static_cast<std::uint64_t>(step);
    PhiloxStream sample(seed, cluster::Purpose::decode_sample, at_step, image);
    noise.sample[row] = gumbel_tensor(sample, {positions, codes});
    PhiloxStream choice(seed, cluster::Purpose::decode_choice, at_step, image);
    noise.choice[row] = gumbel_tensor(choice, {positions});
  }
  return noise;
}

}  // namespace marquee::workers
