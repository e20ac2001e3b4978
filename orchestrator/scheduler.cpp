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
    return a.oracle != b.oracle ? a.oracle : a.cost * a.slots > b.cost * b.slots;
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
  if (entry.state == State::waiting) {
    waiting_.erase(place);
    waiting_by_size_[entry.run.slots].erase({-entry.run.cost, place});
  }
  if (state == State::waiting) {
    waiting_.insert(place);
    waiting_by_size_[entry.run.slots].insert({-entry.run.cost, place});
  }
  if (entry.state == State::running) running_.erase(place);
  if (state == State::running) running_.insert(place);
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
  waiting_by_size_[planned.run.slots].insert({-planned.run.cost, place});
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

bool Scheduler::may_start(int free, Clock clock) {
  return choose(free, clock).has_value();
}

std::optional<std::string> Scheduler::next(int free, Clock clock) {
  const std::optional<std::size_t> place = choose(free, clock);
  if (!place) return std::nullopt;
  change(*place, State::running);
  entries_[*place].started = clock.now;
  return entries_[*place].run.run_id;
}

std::optional<std::size_t> Scheduler::choose(int free, Clock clock) {
  if (waiting_.empty() || free < 1) return std::nullopt;
  const std::size_t head = *waiting_.begin();
  if (entries_[head].run.slots <= free) {
    reservation_.reset();
    return head;
  }
  return clock.cost_per_second > 0 ? backfill(head, free, clock) : std::nullopt;
}

std::optional<std::size_t> Scheduler::backfill(std::size_t head, int free, Clock clock) {
  // When the head will probably have its slots, and how many are free then besides.
  std::vector<std::pair<double, int>> ends;
  for (const std::size_t place : running_) {
    const Entry& run = entries_[place];
    ends.emplace_back(std::max(clock.now, run.started + run.run.cost / clock.cost_per_second),
                      run.run.slots);
  }
  std::sort(ends.begin(), ends.end());
  int slots = free;
  double start = clock.now;
  for (const auto& [end, more] : ends) {
    if (slots >= entries_[head].run.slots) break;
    start = end;
    slots += more;
  }
  if (slots < entries_[head].run.slots) return std::nullopt;  // larger than all there are
  const int besides = slots - entries_[head].run.slots;
  constexpr double kPatience = 0.25;  // of the wait that was expected at first
  if (!reservation_ || reservation_->head != head)
    reservation_ = {head, start + kPatience * (start - clock.now)};
  if (clock.now > reservation_->until) return std::nullopt;

  const double longest = (start - clock.now) * clock.cost_per_second;
  std::optional<std::size_t> chosen;
  for (const auto& [size, runs] : waiting_by_size_) {
    if (size > free) break;
    const auto found = size <= besides ? runs.begin() : runs.lower_bound({-longest, 0});
    if (found != runs.end() && (!chosen || found->second < *chosen)) chosen = found->second;
  }
  return chosen;
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
  const double tuning =
      experiments::trains(run) ? 3.0 * run.steps * run.batch / experiments::gang_size(run) : 0.0;
  const double sampling =
      experiments::is_oracle(run) ? 0.0 : 1.0 * run.samples * experiments::passes_per_image(run);
  return tuning + sampling;
}

std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs) {
  std::vector<PlannedRun> planned;
  planned.reserve(runs.size());
  for (const experiments::RunConfig& run : runs) {
    planned.push_back({experiments::run_id(run).text(), experiments::is_oracle(run),
                       expected_cost(run), planned.size(), experiments::gang_size(run)});
  }
  return planned;
}

}  // namespace marquee::orchestrator
