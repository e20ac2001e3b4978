#include "orchestrator/human.h"

#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace marquee::orchestrator {

std::string human_bytes(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024.0;
  if (bytes < static_cast<std::int64_t>(kStep)) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / kStep;
  std::size_t unit = 0;
  while (value >= kStep && unit + 1 < std::size(kUnits)) {
    value /= kStep;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  constexpr long long kMinute = 60, kHour = 3600, kDay = 86400;
  if (seconds < 10 && seconds != std::floor(seconds)) return fmt::format("{:.1f} s", seconds);
  const long long whole = std::llround(seconds);
  if (whole < kMinute) return fmt::format("{} s", whole);
  if (whole < kHour) return fmt::format("{} min {} s", whole / kMinute, whole % kMinute);
  if (whole < kDay) return fmt::format("{} h {} min", whole / kHour, whole % kHour / kMinute);
  return fmt::format("{} d {} h", whole / kDay, whole % kDay / kHour);
}

std::string short_id(const std::string& id) {
  constexpr std::size_t kDigits = 12;
  return id.substr(0, kDigits);
}

std::string human_rate(double per_hour) {
  const int digits = per_hour < 1 ? 2 : per_hour < 10 ? 1 : 0;
  return fmt::format("{:.{}f} runs/h", per_hour, digits);
}

}  // namespace marquee::orchestrator
