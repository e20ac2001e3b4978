#include "tests/orchestrator/fault_script.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "cluster/philox.h"
#include "experiments/run_time_model.h"

namespace marquee::orchestrator {
namespace {

enum Purpose : std::uint32_t {
  kDuration,
  kNormal,
  kEnd,
  kMoment,
  kMember,
  kMessages,
  kAnswer,
  kPoison
};

class Draw {
 public:
  Draw(std::uint64_t seed, const std::string& run_id)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {
    const std::uint64_t run = std::stoull(run_id.substr(0, 16), nullptr, 16);
    run_ = {static_cast<std::uint32_t>(run), static_cast<std::uint32_t>(run >> 32)};
  }
  // In (0, 1).
  double fraction(Purpose purpose, int attempt) const {
    const auto block =
        cluster::philox4x32({run_[0], run_[1], static_cast<std::uint32_t>(attempt), purpose}, key_);
    return (block[0] + 0.5) / 4294967296.0;
  }

 private:
  std::array<std::uint32_t, 2> key_, run_{};
};

// Deadlines are missed and environments broken like poison, only more seldom; `usage` is never
// tried again.
constexpr std::array<const char*, 5> kPoisonKinds{"crash", "usage", "defect", "environment",
                                                  "deadline"};

}  // namespace

FaultScript all_faults(std::uint64_t seed) {
  FaultScript script;
  script.seed = seed;
  script.crashes = 0.05;
  script.environment_failures = 0.02;
  script.deadlines = 0.02;
  script.lost_members = 0.15;
  script.old_messages = 0.2;
  script.late_answers = 0.1;
  script.poison = 0.02;
  return script;
}

std::string FaultScript::poison_of(const std::string& run_id) const {
  const double drawn = Draw(seed, run_id).fraction(kPoison, 0);
  if (drawn >= poison) return "";
  return kPoisonKinds[static_cast<std::size_t>(drawn / poison * kPoisonKinds.size())];
}

double FaultScript::seconds_of(const std::string& run_id, const experiments::RunConfig& run) const {
  const Draw draw(seed, run_id);
  const double normal = std::sqrt(-2 * std::log(draw.fraction(kDuration, 0))) *
                        std::cos(2 * std::numbers::pi * draw.fraction(kNormal, 0));
  return seconds * expected_cost(run) / mean_cost * std::exp(sigma * normal);
}

ScriptedAttempt FaultScript::attempt(const Assignment& assignment) const {
  const Draw draw(seed, assignment.run_id);
  const int attempt = assignment.attempt;
  ScriptedAttempt script;
  const double whole = seconds_of(assignment.run_id, assignment.run);
  script.seconds = whole;
  script.old_messages = draw.fraction(kMessages, attempt) < old_messages;
  if (draw.fraction(kAnswer, attempt) < late_answers)
    script.answer_seconds = 60 * draw.fraction(kAnswer, attempt) / late_answers;

  double drawn = draw.fraction(kEnd, attempt);
  const auto falls_to = [&](double share) {
    drawn -= share;
    return drawn < 0 && drawn + share >= 0;
  };
  script.kind = poison_of(assignment.run_id);
  if (script.kind.empty()) {
    if (falls_to(crashes)) script.kind = "crash";
    if (falls_to(environment_failures)) script.kind = "environment";
    if (falls_to(deadlines)) script.kind = "deadline";
    if (falls_to(lost_members) && assignment.gang.size() > 1) {
      script.kind = "crash";
      script.lost_member =
          1 + static_cast<int>(draw.fraction(kMember, attempt) * (assignment.gang.size() - 1));
    }
  }
  if (!script.kind.empty()) script.seconds = whole * draw.fraction(kMoment, attempt);
  return script;
}

}  // namespace marquee::orchestrator
