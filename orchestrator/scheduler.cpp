#include "orchestrator/scheduler.h"

#include <algorithm>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

struct NamedKind {
  FailureKind kind;
  const char* name;
  int attempts;
};

constexpr NamedKind kKinds[] = {
    {FailureKind::crash, "crash", 3},
    {FailureKind::deadline, "deadline", 3},
    {FailureKind::protocol, "protocol", 3},
    {FailureKind::environment, "environment", 2},
    {FailureKind::defect, "defect", 2},
    {FailureKind::usage, "usage", 1},
    {FailureKind::interrupted, "interrupted", 0},
};

}  // namespace

std::string failure_name(FailureKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "defect";
}

FailureKind failure_kind(const std::string& name) {
  for (const NamedKind& known : kKinds) {
    if (name == known.name) return known.kind;
  }
  return FailureKind::defect;
}

int attempts_allowed(FailureKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) return known.attempts;
  }
  return 1;
}

Scheduler::Scheduler(std::vector<PlannedRun> runs) {
  std::stable_sort(runs.begin(), runs.end(), [](const PlannedRun& a, const PlannedRun& b) {
    return a.oracle != b.oracle ? a.oracle : a.cost > b.cost;
  });
  for (PlannedRun& run : runs) {
    MARQUEE_CHECK(index_.emplace(run.run_id, entries_.size()).second,
                  "run " + run.run_id + " planned twice");
    Entry planned;
    planned.run = std::move(run);
    entries_.push_back(std::move(planned));
  }
}

Scheduler::Entry& Scheduler::entry(const std::string& run_id) {
  const auto found = index_.find(run_id);
  MARQUEE_CHECK(found != index_.end(), "unknown run " + run_id);
  return entries_[found->second];
}

void Scheduler::mark_done(const std::string& run_id) {
  entry(run_id).state = State::done;
}

std::optional<std::string> Scheduler::next() {
  for (Entry& candidate : entries_) {
    if (candidate.state != State::waiting) continue;
    candidate.state = State::running;
    return candidate.run.run_id;
  }
  return std::nullopt;
}

void Scheduler::finished(const std::string& run_id) {
  Entry& run = entry(run_id);
  MARQUEE_CHECK(run.state == State::running, "run " + run_id + " finished without running");
  run.state = State::done;
}

bool Scheduler::failed(const std::string& run_id, FailureKind kind) {
  Entry& run = entry(run_id);
  MARQUEE_CHECK(run.state == State::running, "run " + run_id + " failed without running");
  if (kind == FailureKind::interrupted) {
    run.state = State::waiting;
    return true;
  }
  ++run.failures;
  run.state = run.failures < attempts_allowed(kind) ? State::waiting : State::failed;
  return run.state == State::waiting;
}

ScheduleCounts Scheduler::counts() const {
  ScheduleCounts counts;
  counts.total = entries_.size();
  for (const Entry& run : entries_) {
    switch (run.state) {
      case State::waiting:
        ++counts.waiting;
        break;
      case State::running:
        ++counts.running;
        break;
      case State::done:
        ++counts.done;
        break;
      case State::failed:
        ++counts.failed;
        break;
    }
  }
  return counts;
}

bool Scheduler::complete() const {
  const ScheduleCounts now = counts();
  return now.waiting == 0 && now.running == 0;
}

double expected_cost(const experiments::RunConfig& run) {
  // A tuning step runs forward and backward: about three forward passes an image.
  const double tuning = experiments::trains(run) ? 3.0 * run.steps * run.batch : 0.0;
  const double sampling = experiments::is_oracle(run) ? 0.0 : 1.0 * run.samples * run.decode_steps;
  return tuning + sampling;
}

std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs) {
  std::vector<PlannedRun> planned;
  for (const experiments::RunConfig& run : runs) {
    planned.push_back(
        {experiments::run_id(run).text(), experiments::is_oracle(run), expected_cost(run)});
  }
  return planned;
}

}  // namespace marquee::orchestrator
