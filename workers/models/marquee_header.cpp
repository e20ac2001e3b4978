#include "workers/models/marquee_header.h"

#include <cmath>
#include <numbers>
#include <string>

#include "cluster/error.h"

namespace marquee::workers {

MarqueeSchedule parse_marquee_schedule(std::string_view text) {
  if (text == "linear") return MarqueeSchedule::linear;
  if (text == "cosine") return MarqueeSchedule::cosine;
  if (text == "step") return MarqueeSchedule::step;
  cluster::throw_usage("marquee schedule '" + std::string(text) +
                       "' is unknown; expected linear, cosine or step");
}

double marquee_position(MarqueeSchedule schedule, std::int64_t step, std::int64_t steps,
                        std::int64_t last) {
  MARQUEE_CHECK(step >= 0 && step < steps && last >= 0, "marquee_position: 0 <= step < steps");
  if (steps == 1) return 0;
  const double share = static_cast<double>(step) / static_cast<double>(steps - 1);
  const auto end = static_cast<double>(last);
  switch (schedule) {
    case MarqueeSchedule::linear:
      return end * share;
    case MarqueeSchedule::cosine:
      return end * 0.5 * (1.0 - std::cos(std::numbers::pi * share));
    case MarqueeSchedule::step:
      break;
  }
  return std::floor(end * share + 0.5);
}

Tensor marquee_mix(const std::vector<Tensor>& waypoints, double position) {
  const auto last = static_cast<double>(waypoints.size()) - 1;
  MARQUEE_CHECK(!waypoints.empty() && position >= 0 && position <= last,
                "marquee_mix: a position among the waypoints");
  const auto before = static_cast<std::size_t>(position);
  const double share = position - static_cast<double>(before);
  if (share == 0) return waypoints[before];
  return waypoints[before] * (1.0 - share) + waypoints[before + 1] * share;
}

}  // namespace marquee::workers
