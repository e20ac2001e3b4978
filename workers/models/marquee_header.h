// The marquee header: prompts that move between waypoints W_0..W_K while an image is decoded. With
// position a in [0, K] at a step,
//
//   P = (1 - (a - floor(a))) W_floor(a) + (a - floor(a)) W_floor(a)+1,  W_K+1 = W_K
//
// Whether the waypoints are finished prompts or the embeddings before the LayerNorm is the
// caller's. The formula and the schedules are this project's own reading (docs/method.md).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "workers/torch.h"

namespace marquee::workers {

enum class MarqueeSchedule { linear, cosine, step };

// "linear", "cosine", "step"; throws usage for anything else.
MarqueeSchedule parse_marquee_schedule(std::string_view text);

// Position at `step` (from 0) of `steps`: 0 at the first, `last` (K) at the final one. linear:
// equal moves; cosine: slow at both ends; step: the nearest waypoint, each for an equal part.
double marquee_position(MarqueeSchedule schedule, std::int64_t step, std::int64_t steps,
                        std::int64_t last);

// `waypoints`: at least one, of one shape; returns the mixture at `position`.
Tensor marquee_mix(const std::vector<Tensor>& waypoints, double position);

}  // namespace marquee::workers
