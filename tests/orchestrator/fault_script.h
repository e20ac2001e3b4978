// What happens in a simulated cluster: how long attempts last and how they end, all of it a
// function of (seed, run, attempt). Thread safe.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// How an attempt goes.
struct ScriptedAttempt {
  double seconds = 0;           // until it ends
  std::string kind{};           // of the failure; empty: it is done
  int lost_member = -1;         // of a gang: the one that fails; -1: rank 0 where `kind` is set
  double answer_seconds = 0.1;  // that a request to stop takes
  bool old_messages = false;    // its agents also repeat messages of older epochs and attempts
};

struct FaultScript {
  std::uint64_t seed = 0;
  double seconds = 3;    // of a run, on average of the sweep
  double mean_cost = 1;  // expected_cost() of a run, likewise
  double sigma = 0.2;    // of the logarithm of the true duration over the expected one
  // Shares of attempts.
  double crashes = 0, environment_failures = 0, deadlines = 0, lost_members = 0;
  double old_messages = 0;
  double late_answers = 0;  // to a request to stop: up to a minute
  // Share of runs: each attempt of these fails.
  double poison = 0;

  // How long an attempt at this run takes that nothing ends before.
  double seconds_of(const std::string& run_id, const experiments::RunConfig& run) const;
  ScriptedAttempt attempt(const Assignment& assignment) const;
  // Whether each attempt of this run fails, and with which kind; empty: no.
  std::string poison_of(const std::string& run_id) const;
};

// Some of everything.
FaultScript all_faults(std::uint64_t seed);

}  // namespace marquee::orchestrator
