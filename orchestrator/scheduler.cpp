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
    add(std::move(run));
  }
}

std::size_t Scheduler::place_of(const std::string& run_id) const {
  const auto found = index_.find(run_id);
  MARQUEE_CHECK(found != index_.end(), "unknown run " + run_id);
  return found->second;
}

std::size_t& Scheduler::counter(State state) {
  switch (state) {
    case State::waiting:
      return counts_.waiting;
    case State::running:
      return counts_.running;
    case State::done:
      return counts_.done;
    case State::cancelled:
      return counts_.cancelled;
    case State::failed:
      break;
  }
  return counts_.failed;
}

void Scheduler::change(std::size_t place, State state) {
  Entry& entry = entries_[place];
  --counter(entry.state);
  ++counter(state);
  if (entry.state == State::waiting) waiting_.erase(place);
  if (state == State::waiting) waiting_.insert(place);
  entry.state = state;
}

void Scheduler::mark_done(const std::string& run_id) {
  change(place_of(run_id), State::done);
}

void Scheduler::add(PlannedRun run) {
  MARQUEE_CHECK(!knows(run.run_id), "run " + run.run_id + " planned twice");
  const std::size_t place = entries_.size();
  Entry& planned = entries_.emplace_back();
  planned.run = std::move(run);
  index_.emplace(planned.run.run_id, place);
  waiting_.insert(waiting_.end(), place);
  ++counts_.total;
  ++counts_.waiting;
}

bool Scheduler::cancel(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  Entry& run = entries_[place];
  if (run.state == State::running) {
    run.cancel_wanted = true;
    return true;
  }
  if (run.state != State::done) change(place, State::cancelled);
  return false;
}

void Scheduler::again(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  Entry& run = entries_[place];
  run.cancel_wanted = false;
  if (run.state == State::running || run.state == State::waiting) return;
  run.failures = 0;
  change(place, State::waiting);
}

void Scheduler::finished_elsewhere(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  if (entries_[place].state != State::running) change(place, State::done);
}

std::optional<std::string> Scheduler::next() {
  if (waiting_.empty()) return std::nullopt;
  const std::size_t place = *waiting_.begin();
  change(place, State::running);
  return entries_[place].run.run_id;
}

void Scheduler::finished(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  MARQUEE_CHECK(entries_[place].state == State::running,
                "run " + run_id + " finished without running");
  entries_[place].cancel_wanted = false;
  change(place, State::done);
}

bool Scheduler::failed(const std::string& run_id, FailureKind kind) {
  const std::size_t place = place_of(run_id);
  Entry& run = entries_[place];
  MARQUEE_CHECK(run.state == State::running, "run " + run_id + " failed without running");
  if (run.cancel_wanted) {
    run.cancel_wanted = false;
    change(place, State::cancelled);
    return false;
  }
  if (kind != FailureKind::interrupted) ++run.failures;
  const bool again = kind == FailureKind::interrupted || run.failures < attempts_allowed(kind);
  change(place, again ? State::waiting : State::failed);
  return again;
}

bool Scheduler::complete() const {
  return counts_.waiting == 0 && counts_.running == 0;
}

double expected_cost(const experiments::RunConfig& run) {
  // A tuning step runs forward and backward: about three forward passes an image.
  const double tuning = experiments::trains(run) ? 3.0 * run.steps * run.batch : 0.0;
  const double sampling =
      experiments::is_oracle(run) ? 0.0 : 1.0 * run.samples * experiments::passes_per_image(run);
  return tuning + sampling;
}

std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs) {
  std::vector<PlannedRun> planned;
  planned.reserve(runs.size());
  for (const experiments::RunConfig& run : runs) {
    planned.push_back({experiments::run_id(run).text(), experiments::is_oracle(run),
                       expected_cost(run), planned.size()});
  }
  return planned;
}

}  // namespace marquee::orchestrator
