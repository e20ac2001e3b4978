#include "workers/models/masking.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "cluster/error.h"

namespace marquee::workers {

MaskSchedule parse_mask_schedule(std::string_view text) {
  if (text == "uniform") return {MaskScheduleKind::uniform};
  if (text == "cosine") return {MaskScheduleKind::cosine};
  if (text == "log") return {MaskScheduleKind::log};
  if (text == "exp") return {MaskScheduleKind::exp};
  if (text.starts_with("pow")) {
    const std::string_view digits = text.substr(3);
    float exponent = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error == std::errc{} && end == digits.data() + digits.size() && exponent > 0 &&
        exponent <= 100) {
      return {MaskScheduleKind::power, exponent};
    }
  }
  cluster::throw_usage("mask schedule '" + std::string(text) +
                       "' is unknown; expected uniform, cosine, pow<p> (pow2, pow2.5), log or exp");
}

std::string to_string(const MaskSchedule& schedule) {
  switch (schedule.kind) {
    case MaskScheduleKind::uniform:
      return "uniform";
    case MaskScheduleKind::cosine:
      return "cosine";
    case MaskScheduleKind::log:
      return "log";
    case MaskScheduleKind::exp:
      return "exp";
    case MaskScheduleKind::power:
      break;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, schedule.exponent);
  MARQUEE_CHECK(error == std::errc{}, "mask schedule exponent has no text form");
  return "pow" + std::string(buffer, end);
}

float mask_rate(const MaskSchedule& schedule, float ratio, std::int64_t tokens) {
  const float log2_tokens = std::log2(static_cast<float>(tokens));
  float rate = 0;
  switch (schedule.kind) {
    case MaskScheduleKind::uniform:
      rate = 1.0F - ratio;
      break;
    case MaskScheduleKind::cosine:
      rate = std::cos(ratio * static_cast<float>(std::numbers::pi) * 0.5F);
      break;
    case MaskScheduleKind::power:
      rate = 1.0F - std::pow(ratio, schedule.exponent);
      break;
    case MaskScheduleKind::log:
      rate = -std::log2(ratio) / log2_tokens;
      break;
    case MaskScheduleKind::exp:
      rate = 1.0F - std::exp2(-log2_tokens * (1.0F - ratio));
      break;
  }
  return std::clamp(rate, 1e-6F, 1.0F);
}

std::int64_t mask_count(float rate, std::int64_t tokens) {
  return static_cast<std::int64_t>(std::ceil(static_cast<float>(tokens) * rate));
}

std::int64_t scheduled_count(const MaskSchedule& schedule, std::int64_t step, std::int64_t steps,
                             std::int64_t initial_unknown) {
  const float ratio = static_cast<float>(step + 1) / static_cast<float>(steps);
  const float rate = mask_rate(schedule, ratio, initial_unknown);
  return static_cast<std::int64_t>(std::floor(static_cast<float>(initial_unknown) * rate));
}

std::int64_t decode_count(const MaskSchedule& schedule, std::int64_t step, std::int64_t steps,
                          std::int64_t initial_unknown, std::int64_t unknown) {
  return std::max<std::int64_t>(
      1, std::min(unknown - 1, scheduled_count(schedule, step, steps, initial_unknown)));
}

MaskedTokens apply_mask(const Tensor& tokens, const Tensor& scores,
                        const std::vector<std::int64_t>& counts) {
  MARQUEE_CHECK(tokens.dim() == 2 && tokens.sizes() == scores.sizes() &&
                    static_cast<std::int64_t>(counts.size()) == tokens.size(0),
                "apply_mask: tokens, scores and counts do not fit");
  const Tensor limits = torch::tensor(at::ArrayRef<std::int64_t>(counts), torch::kInt64)
                            .to(tokens.device())
                            .unsqueeze(1);
  // Rank of each score within its row; stable, so equal scores go by position.
  const Tensor order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/1, /*descending=*/false));
  const Tensor rank = torch::empty_like(order).scatter_(
      1, order, torch::arange(tokens.size(1), order.options()).expand_as(order).contiguous());
  const Tensor masked = rank < limits;
  return {tokens.masked_fill(masked, -1), masked.to(torch::kFloat32)};
}

}  // namespace marquee::workers
