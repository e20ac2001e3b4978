#include "workers/models/decode.h"

#include <cmath>
#include <limits>

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

// scheduled_count of every step and row, int64 [steps, B] on the ids' device. The counts depend on
// float32 rounding, so they are made here and not by the device.
Tensor scheduled_counts(const DecodeOptions& options, const Tensor& initial_ids) {
  const Tensor unknown = (initial_ids == -1).sum(1).to(torch::kCPU);
  const auto* initial = unknown.const_data_ptr<std::int64_t>();
  Tensor counts = torch::empty({options.steps, unknown.size(0)}, torch::kInt64);
  auto* count = counts.mutable_data_ptr<std::int64_t>();
  for (std::int64_t step = 0; step < options.steps; ++step) {
    for (std::int64_t row = 0; row < unknown.size(0); ++row)
      *count++ = scheduled_count(options.schedule, step, options.steps, initial[row]);
  }
  return counts.to(initial_ids.device());
}

// Standard Gumbel noise of shape [B, ...], each row from its image's own stream.
Tensor gumbel_rows(at::IntArrayRef shape, std::uint64_t seed, cluster::Purpose purpose,
                   std::int64_t step, std::uint64_t first_image, torch::Device device) {
  // Only from pinned memory does a copy to a GPU go on beside the host.
  Tensor noise =
      torch::empty(shape, torch::TensorOptions(torch::kFloat32).pinned_memory(!device.is_cpu()));
  const at::ThreadLocalState caller;
  at::parallel_for(0, shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
    const at::ThreadLocalStateGuard as_caller(caller);
    for (std::int64_t row = begin; row < end; ++row) {
      PhiloxStream stream(seed, purpose, static_cast<std::uint64_t>(step),
                          first_image + static_cast<std::uint64_t>(row));
      fill_gumbel(stream, noise[row]);
    }
  });
  return noise.to(device, /*non_blocking=*/true);
}

}  // namespace

Tensor decode_tokens(const DecodeOptions& options, const Tensor& initial_ids,
                     const LogitsFunction& logits, const NoiseFunction& noise,
                     const DecodeObserver& observe) {
  MARQUEE_CHECK(initial_ids.dim() == 2 && initial_ids.scalar_type() == torch::kInt64,
                "decode_tokens: ids must be int64 [B, P]");
  MARQUEE_CHECK(options.steps > 0 && options.start_step >= 0 && options.start_step < options.steps,
                "decode_tokens: start_step must lie in [0, steps)");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor scheduled = scheduled_counts(options, initial_ids);

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

    const float ratio = static_cast<float>(step + 1) / static_cast<float>(options.steps);
    const float noise_scale = options.choice_temperature * (1.0F - ratio);
    const Tensor confidence =
        torch::where(unknown, log_probability + noise_scale * step_noise.choice, kInfinity);

    // decode_count of every row.
    const Tensor counts = at::minimum(unknown.sum(1) - 1, scheduled[step]).clamp_min(1);
    const Tensor threshold = std::get<0>(confidence.sort(1)).gather(1, counts.unsqueeze(1));
    const Tensor mask = confidence < threshold;
    if (observe) {
      const Tensor probability = torch::where(unknown, log_probability.exp(), kInfinity);
      observe({step, ids, sampled, probability, confidence, mask, counts});
    }
    ids = sampled.masked_fill(mask, -1);
  }
  return sampled;
}

DecodeNoise philox_noise(std::uint64_t seed, std::uint64_t first_image, std::int64_t batch,
                         std::int64_t step, std::int64_t positions, std::int64_t codes,
                         torch::Device device) {
  return {gumbel_rows({batch, positions, codes}, seed, cluster::Purpose::decode_sample, step,
                      first_image, device),
          gumbel_rows({batch, positions}, seed, cluster::Purpose::decode_choice, step, first_image,
                      device)};
}

}  // namespace marquee::workers
