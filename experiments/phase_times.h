// How long the parts of a finished attempt took. Written by the trainer into the attempt's
// provenance under "timing", for predictions alone: it is in no hash and no comparison, and
// result.h5 does not hold it.
#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json.hpp>

namespace marquee::experiments {

struct PhaseTimes {
  double load = 0, cache = 0, tune = 0, sample = 0, score = 0;  // seconds
  std::int64_t steps = 0;       // tuning steps that this attempt took
  std::int64_t images = 0;      // generated, or scored by an oracle row
  std::int64_t peak_bytes = 0;  // most memory that the trainer has had so far; 0: not known

  bool operator==(const PhaseTimes&) const = default;
};

struct RunConfig;
// Of an attempt that says only how long it took: the tuning's where there is one, else the
// sampling's.
PhaseTimes times_of_one_phase(const RunConfig& run, double seconds);

inline constexpr const char* kTimingKey = "timing";  // of the provenance

nlohmann::json to_json(const PhaseTimes& times);
// Nothing where the keys are not there or hold no sound numbers: predictions go without.
std::optional<PhaseTimes> phase_times_from_json(const nlohmann::json& content);

}  // namespace marquee::experiments
