#include "orchestrator/sweep/time_limit.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

constexpr double kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr double kLongest = 10'000 * kDay;
constexpr std::size_t kLongestText = 32;
constexpr const char* kSlurmVariable = "SLURM_JOB_END_TIME";

// All of the text is a number from 0 up.
std::optional<double> number_in(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string::npos)
    return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return value;
}

std::optional<double> clock_in(const std::string& text) {
  unsigned days = 0, hours = 0, minutes = 0, seconds = 0;
  int used = -1;
  const char* words = text.c_str();
  if (std::sscanf(words, "%5u-%2u:%2u:%2u%n", &days, &hours, &minutes, &seconds, &used) != 4 ||
      used != static_cast<int>(text.size())) {
    days = 0;
    used = -1;
    if (std::sscanf(words, "%6u:%2u:%2u%n", &hours, &minutes, &seconds, &used) != 3 ||
        used != static_cast<int>(text.size()))
      return std::nullopt;
  }
  if (minutes >= kMinute || seconds >= kMinute) return std::nullopt;
  return days * kDay + hours * kHour + minutes * kMinute + seconds;
}

}  // namespace

std::optional<double> parse_time_limit(const std::string& text) {
  if (text == "none") return std::nullopt;
  std::optional<double> seconds;
  if (text.size() <= kLongestText) {
    seconds = number_in(text);
    if (!seconds) seconds = clock_in(text);
  }
  if (!seconds || !(*seconds > 0) || *seconds > kLongest) {
    cluster::throw_usage("--time-limit is '" + text +
                         "'; expected seconds, HH:MM:SS, D-HH:MM:SS or none");
  }
  return seconds;
}

std::optional<TimeLimit> time_limit(const std::string& option, const std::string& slurm_end,
                                    double unix_now) {
  if (!option.empty()) {
    const std::optional<double> seconds = parse_time_limit(option);
    if (!seconds) return std::nullopt;
    return TimeLimit{*seconds, "--time-limit " + option};
  }
  if (slurm_end.size() > kLongestText) return std::nullopt;
  const std::optional<double> end = number_in(slurm_end);
  // Slurm writes a time far away, or 0, for jobs without a limit.
  if (!end || *end == 0 || *end - unix_now > kLongest) return std::nullopt;
  return TimeLimit{*end - unix_now, kSlurmVariable};
}

std::optional<TimeLimit> time_limit(const std::string& option) {
  const char* slurm_end = std::getenv(kSlurmVariable);
  return time_limit(option, slurm_end == nullptr ? "" : slurm_end,
                    static_cast<double>(std::time(nullptr)));
}

}  // namespace marquee::orchestrator
