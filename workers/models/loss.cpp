#include "workers/models/loss.h"

#include "cluster/error.h"

namespace marquee::workers {

Tensor masked_cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& weights,
                            double smoothing) {
  MARQUEE_CHECK(logits.dim() == 3 && targets.sizes() == weights.sizes() &&
                    targets.size(1) == logits.size(1) && targets.size(0) == logits.size(0),
                "masked_cross_entropy: logits [B, P, K], targets and weights [B, P]");
  const std::int64_t codes = logits.size(2);
  const auto type = at::promote_types(logits.scalar_type(), torch::kFloat32);
  const Tensor log_probability = at::log_softmax(logits.to(type), -1);
  const Tensor inside = (targets >= 0) & (targets < codes);
  const Tensor index = targets.clamp(0, codes - 1).unsqueeze(-1);
  const Tensor picked = log_probability.gather(-1, index).squeeze(-1) * inside.to(type);
  Tensor loss = picked * -(1.0 - smoothing);
  if (smoothing != 0) {
    loss = loss - log_probability.sum(-1) * (smoothing / static_cast<double>(codes));
  }
  return (loss * weights).sum(1) / weights.sum(1).clamp_min(1e-8);
}

}  // namespace marquee::workers
