// The end of the allocation that a sweep runs in. Thread safe.
#pragma once

#include <optional>
#include <string>

namespace marquee::orchestrator {

// Exit code of a sweep that the time limit has ended while runs wait: the same command goes on. As
// timeout(1) has it.
inline constexpr int kOutOfTime = 124;

// Seconds in "90", "01:30:00" or "1-12:00:00" (days); nothing for "none". Throws usage naming the
// option.
std::optional<double> parse_time_limit(const std::string& text);

struct TimeLimit {
  double ends_in = 0;  // seconds from the start of the command
  std::string source;  // "--time-limit 3600", "SLURM_JOB_END_TIME"
};

// `option`: "" where it was not given; it comes over the variable, "none" means no limit at all.
// `slurm_end`: what SLURM_JOB_END_TIME says (unix seconds), "" where it is not set; something that
// is no time counts as that.
std::optional<TimeLimit> time_limit(const std::string& option, const std::string& slurm_end,
                                    double unix_now);
// With what that variable says, now.
std::optional<TimeLimit> time_limit(const std::string& option);

}  // namespace marquee::orchestrator
