// Mask schedules and masking of token sequences, in float32 as the official code computes them: the
// counts of the golden file masking.h5 depend on float32 rounding
// (tests/workers/masking_golden_test.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workers/torch.h"

namespace marquee::workers {

enum class MaskScheduleKind { uniform, cosine, power, log, exp };

struct MaskSchedule {
  MaskScheduleKind kind = MaskScheduleKind::cosine;
  float exponent = 2.0F;  // of kind power
  bool operator==(const MaskSchedule&) const = default;
};

// "uniform", "cosine", "pow2", "pow2.5", "log", "exp"; anything else is a usage error that lists
// them.
MaskSchedule parse_mask_schedule(std::string_view text);
std::string to_string(const MaskSchedule& schedule);

// Share of tokens masked at `ratio` in [0, 1), clipped to [1e-6, 1]; `tokens` enters log and exp.
float mask_rate(const MaskSchedule& schedule, float ratio, std::int64_t tokens);

// Training: ceil(float32(tokens * rate)).
std::int64_t mask_count(float rate, std::int64_t tokens);

// Decoding step `step` of `steps`: how many of the `initial_unknown` tokens the schedule leaves
// masked, floor(float32(initial * rate)).
std::int64_t scheduled_count(const MaskSchedule& schedule, std::int64_t step, std::int64_t steps,
                             std::int64_t initial_unknown);

// How many go back to the mask, given that `unknown` are masked now: max(1, min(unknown - 1,
// scheduled_count)).
std::int64_t decode_count(const MaskSchedule& schedule, std::int64_t step, std::int64_t steps,
                          std::int64_t initial_unknown, std::int64_t unknown);

struct MaskedTokens {
  Tensor ids;      // int64 [B, N], -1 where masked
  Tensor weights;  // float32 [B, N], 1 where masked
};
// Masks the counts[b] tokens of row b with the smallest scores. tokens int64 [B, N], scores float32
// [B, N], on one device.
MaskedTokens apply_mask(const Tensor& tokens, const Tensor& scores,
                        const std::vector<std::int64_t>& counts);

}  // namespace marquee::workers
