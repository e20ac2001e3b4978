// Intervals and deadlines of coordinator and agents, in seconds unless named otherwise.
#pragma once

#include <algorithm>

namespace marquee::orchestrator {

inline constexpr double kIdleNapSeconds = 0.01;              // idle loops: well under 2 % of a core
inline constexpr double kBusyNapSeconds = 0.0003;            // right after the last message
inline constexpr double kLongestBusyNapSeconds = 0.003;      // while an answer is expected
inline constexpr double kBusyNapShare = 0.2;                 // of the time since the last message
inline constexpr double kBusySeconds = 0.05;                 // after the last message
inline constexpr double kAliveIntervalSeconds = 5.0;         // signs of life, both ways
inline constexpr double kAgentSilenceSeconds = 120.0;        // an agent is lost after this
inline constexpr double kCoordinatorSilenceSeconds = 900.0;  // covers slow publishing
inline constexpr double kHelloSeconds = 120.0;               // all agents must have spoken
inline constexpr double kTrainerStartSeconds = 300.0;        // start, load the base, first progress
inline constexpr double kTrainerStopSeconds = 5.0;           // an idle trainer told to go
inline constexpr double kInterruptSeconds = 60.0;            // a checkpoint on request
inline constexpr double kLeaseRenewSeconds = 3.0;
inline constexpr double kPublishSeconds = 2.0;      // or 50 times the last copy's duration
inline constexpr double kSignOfLifeSeconds = 20.0;  // published at least this often
inline constexpr double kInboxSeconds = 1.0;

// How long a loop sleeps when its last message is this long ago.
inline double nap_seconds(double quiet_seconds) {
  if (quiet_seconds >= kBusySeconds) return kIdleNapSeconds;
  return std::clamp(kBusyNapShare * quiet_seconds, kBusyNapSeconds, kLongestBusyNapSeconds);
}

}  // namespace marquee::orchestrator
