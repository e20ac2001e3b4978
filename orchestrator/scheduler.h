// Decides which run starts next and whether a failed one is tried again. Pure logic: no MPI, no
// files, no clock. Deterministic: oracle runs first (they fill the caches that others use), then
// the most work (expected duration times slots), ties in the order of the sweep file. A gang that
// waits for slots is next as soon as they are free; meanwhile runs behind it start that will
// probably have ended by then, or that leave it enough (backfill), but not for longer than was
// expected at first: so it is never starved. Not thread safe.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "experiments/run_config.h"

namespace marquee::orchestrator {

// A run's place in the queue.
struct PlannedRun {
  std::string run_id;
  bool oracle = false;
  double cost = 0.0;         // relative expected duration, with all its slots
  std::size_t position = 0;  // in the list that it was planned from
  int slots = 1;             // of its gang
};

// Why an attempt ended without a result. `interrupted` is no failure: the run goes back into the
// queue and the attempt is not counted.
enum class FailureKind { crash, deadline, protocol, environment, defect, usage, interrupted };

std::string failure_name(FailureKind kind);
// The kind named in an attempt's cause; an unknown name counts as a defect.
FailureKind failure_kind(const std::string& name);

// Attempts of one run allowed in one sweep command when they end with this kind of failure:
// 1 for usage, 2 for environment and defect, 3 for crash, deadline and protocol.
int attempts_allowed(FailureKind kind);

struct ScheduleCounts {
  std::size_t total = 0, done = 0, failed = 0, running = 0, waiting = 0, cancelled = 0;
  bool operator==(const ScheduleCounts&) const = default;
};

class Scheduler {
 public:
  // The time, and how fast runs go; cost_per_second 0: not known yet, then nothing is backfilled.
  struct Clock {
    double now = 0.0, cost_per_second = 0.0;
  };

  explicit Scheduler(std::vector<PlannedRun> runs);

  // A run that needs no attempt: its result is in the ledger already.
  void mark_done(const std::string& run_id);

  bool knows(const std::string& run_id) const { return index_.count(run_id) > 0; }
  // One more run, behind all others.
  void add(PlannedRun run);
  // Sets a run aside that is not done; a running one when it ends without a result, and then true:
  // its agent must be told.
  bool cancel(const std::string& run_id);
  // A run that is done, failed or cancelled waits once more, with all its attempts. A running one
  // that was to be cancelled goes on waiting when it ends.
  void again(const std::string& run_id);
  // A result has come from elsewhere: a run that waits, failed or was cancelled is done.
  void finished_elsewhere(const std::string& run_id);

  // In starting order, those that were added later at the end; place < counts().total.
  const PlannedRun& at(std::size_t place) const { return entries_[place].run; }
  std::size_t place_of(const std::string& run_id) const;

  // The next run to start, now counted as running; nullopt when none waits or none should start in
  // the `free` slots. Logarithmic in what waits.
  std::optional<std::string> next(int free, Clock clock);
  std::optional<std::string> next() { return next(std::numeric_limits<int>::max(), Clock()); }
  // Whether next() gives one.
  bool may_start(int free, Clock clock);

  void finished(const std::string& run_id);
  // True when the run will be tried again; false when it is set aside for good.
  bool failed(const std::string& run_id, FailureKind kind);

  const ScheduleCounts& counts() const { return counts_; }
  // No run waits or runs.
  bool complete() const;

 private:
  enum class State { waiting, running, done, failed, cancelled };
  struct Entry {
    PlannedRun run;
    State state = State::waiting;
    int failures = 0;
    bool cancel_wanted = false;  // while it runs
    double started = 0.0;        // while it runs
  };
  // What waits and takes so many slots, the longest first: cost (negative) and place.
  using OfSize = std::set<std::pair<double, std::size_t>>;

  std::optional<std::size_t> choose(int free, Clock clock);
  std::optional<std::size_t> backfill(std::size_t head, int free, Clock clock);
  void change(std::size_t place, State state);
  std::size_t& counter(State state);

  std::deque<Entry> entries_;                                // in starting order
  std::unordered_map<std::string_view, std::size_t> index_;  // by the ids in entries_, which stay
  std::set<std::size_t> waiting_, running_;                  // places in entries_
  std::map<int, OfSize> waiting_by_size_;
  struct Reservation {
    std::size_t head = 0;  // the gang that waits for slots
    double until = 0.0;    // nothing is backfilled after
  };
  std::optional<Reservation> reservation_;
  ScheduleCounts counts_;
};

// Relative expected duration: tuning images plus generated images times decoding steps.
double expected_cost(const experiments::RunConfig& run);

std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs);

}  // namespace marquee::orchestrator
