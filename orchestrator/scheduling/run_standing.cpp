#include "orchestrator/scheduling/run_standing.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/scheduling/failure_kind.h"

namespace marquee::orchestrator {
namespace {

std::string running(const RunFacts& run) {
  const auto attempt = std::find_if(run.attempts.rbegin(), run.attempts.rend(),
                                    [](const auto& one) { return one.status == "running"; });
  if (attempt == run.attempts.rend()) return "running";
  const std::string where = fmt::format(
      "attempt {} on {}{}, started {}", attempt->attempt, attempt->host,
      attempt->slot >= 0 ? fmt::format(", slot {}", attempt->slot) : "", attempt->started);
  if (run.coordinator_lives) return "running: " + where;
  return "cut off: " + where +
         ", was running when its sweep ended; the same sweep command goes on from there";
}

std::string waiting(const RunFacts& run) {
  const std::string queue =
      run.ahead == 0 ? "no run of its sweep comes before it"
                     : fmt::format("{} run{} of its sweep {} before it", run.ahead,
                                   run.ahead == 1 ? "" : "s", run.ahead == 1 ? "comes" : "come");
  const std::string started = run.attempts.empty() ? "not started yet"
                              : run.attempts.back().status == "done"
                                  ? "to be computed again"
                                  : "its last attempt was cut off";
  return fmt::format("waiting: {}; {}{}", started, queue,
                     run.coordinator_lives ? "" : "; no sweep runs in this folder now");
}

// The scheduler counts the failures of one command, which has one epoch.
std::string failed(const RunFacts& run) {
  const AttemptFacts& last = run.attempts.back();
  const auto failures = std::count_if(
      run.attempts.begin(), run.attempts.end(),
      [&](const auto& one) { return one.epoch == last.epoch && one.status == "failed"; });
  const FailureKind kind = failure_kind(last.cause);
  const int allowed = attempts_allowed(kind);
  const std::string tried = fmt::format(
      "{} of {} attempts that a {} failure is given in one command", failures, allowed, last.cause);
  const std::string advice = remedy(kind);
  if (kind == FailureKind::out_of_memory) {
    return fmt::format("failed: out of memory in {} attempt{}; {}{}", failures,
                       failures == 1 ? "" : "s",
                       failures < allowed && run.coordinator_lives
                           ? "tried once more where a slot has more memory, else set aside: "
                           : "set aside: ",
                       advice);
  }
  if (failures < allowed && run.coordinator_lives)
    return "to be tried again: failed, after " + tried;
  return "set aside: failed, after " + tried + "; the same sweep command tries it anew";
}

}  // namespace

std::string standing_of(const RunFacts& run) {
  if (run.status == "running") return running(run);
  if (run.status == "failed" && !run.attempts.empty()) return failed(run);
  if (run.status == "cancelled") return "set aside: cancelled; marquee rerun takes it up again";
  if (run.status != "done") return waiting(run);
  const auto newest = std::find_if(run.attempts.rbegin(), run.attempts.rend(),
                                   [](const auto& one) { return one.status == "done"; });
  if (newest == run.attempts.rend()) return "done";
  return fmt::format("done: attempt {} counts", newest->attempt);
}

}  // namespace marquee::orchestrator
