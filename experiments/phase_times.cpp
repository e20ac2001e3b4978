#include "experiments/phase_times.h"

#include <cmath>

#include "experiments/run_config.h"

namespace marquee::experiments {

using nlohmann::json;

PhaseTimes times_of_one_phase(const RunConfig& run, double seconds) {
  PhaseTimes times;
  times.images = run.samples;
  if (trains(run)) {
    times.tune = seconds;
    times.steps = run.steps;
  } else {
    times.sample = seconds;
  }
  return times;
}

json to_json(const PhaseTimes& times) {
  return {{"load", times.load},     {"cache", times.cache},          {"tune", times.tune},
          {"sample", times.sample}, {"score", times.score},          {"steps", times.steps},
          {"images", times.images}, {"peak_bytes", times.peak_bytes}};
}

std::optional<PhaseTimes> phase_times_from_json(const json& content) {
  PhaseTimes times;
  try {
    times.load = content.at("load").get<double>();
    times.cache = content.at("cache").get<double>();
    times.tune = content.at("tune").get<double>();
    times.sample = content.at("sample").get<double>();
    times.score = content.at("score").get<double>();
    times.steps = content.at("steps").get<std::int64_t>();
    times.images = content.at("images").get<std::int64_t>();
    times.peak_bytes = content.value("peak_bytes", std::int64_t{0});
  } catch (const json::exception&) {
    return std::nullopt;
  }
  for (const double seconds : {times.load, times.cache, times.tune, times.sample, times.score}) {
    if (!std::isfinite(seconds) || seconds < 0) return std::nullopt;
  }
  if (times.steps < 0 || times.images < 0 || times.peak_bytes < 0) return std::nullopt;
  return times;
}

}  // namespace marquee::experiments
