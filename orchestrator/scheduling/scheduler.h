// Decides which run starts next and where, and whether a failed one is tried again. Pure logic: no
// MPI, no files, no clock. Deterministic: higher priorities first, then oracle rows (they fill the
// caches that others use), then the most work (expected duration times slots), ties in the order of
// the sweep file. Among runs of about equal length one goes where its base and task are loaded
// already, and one that would wait for a token cache which another makes lets others pass. A gang
// that waits for slots is next as soon as they are free; meanwhile runs behind it start that will
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
#include <unordered_set>
#include <utility>
#include <vector>

#include "orchestrator/scheduling/failure_kind.h"
#include "orchestrator/scheduling/planned_run.h"
#include "orchestrator/scheduling/run_queue.h"
#include "orchestrator/scheduling/slot_pool.h"

namespace marquee::orchestrator {

struct ScheduleCounts {
  std::size_t total = 0, done = 0, failed = 0, running = 0, waiting = 0, cancelled = 0;
  bool operator==(const ScheduleCounts&) const = default;
};

class Scheduler {
 public:
  // The time, and how fast runs go; cost_per_second 0: not known yet, then nothing is backfilled.
  // seconds_left: what needs longer until a checkpoint does not start any more.
  struct Clock {
    double now = 0.0, cost_per_second = 0.0;
    double seconds_left = std::numeric_limits<double>::infinity();
  };
  struct Start {
    std::string run_id;
    std::vector<int> slots;  // ranks; of a gang in the order of its members
  };

  Scheduler(std::vector<PlannedRun> runs, SlotPool pool);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

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

  // What runs of this kind take, from now on.
  void set_estimate(std::uint64_t kind, const Estimate& estimate);

  // The next run to start, now counted as running, and the slots that it has taken; nullopt when
  // none waits or none should start. Logarithmic in what waits and runs.
  std::optional<Start> next(const Clock& clock);
  // Whether next() gives one.
  bool may_start(const Clock& clock);
  // Runs wait, and none of them can reach a checkpoint in the time that is left.
  bool out_of_time() const { return counts_.waiting > 0 && counts_.waiting == queue_.parked(); }

  // Its training tokens are there: others that want them need not wait.
  void has_tokens(const std::string& run_id);
  // The run has ended: its slots are idle.
  void finished(const std::string& run_id);
  // The same without a result. True when the run will be tried again; false when it is set aside
  // for good. Whose environment failed is tried on another host, who ran out of memory on a slot
  // with more, where there is one.
  bool failed(const std::string& run_id, FailureKind kind);
  // That failure was the host's and does not count. True when the run had been set aside for it and
  // waits again.
  bool forgive(const std::string& run_id, FailureKind kind);

  const SlotPool& pool() const { return pool_; }
  // Whether it could start, were all slots idle.
  bool could_place(const PlannedRun& run) const;
  // Nothing starts on this host any more. False, and nothing happens, where some run needs it, or
  // there is no other.
  bool exclude(const std::string& host);

  const ScheduleCounts& counts() const { return counts_; }
  // No run waits or runs.
  bool complete() const;

 private:
  enum class State { waiting, running, done, failed, cancelled };
  struct Entry {
    PlannedRun run;
    State state = State::waiting;
    bool late = false;  // added behind the others
    int failures = 0;
    std::size_t its_class = 0;  // in the queue; of one that runs, where it was
    std::string avoids;         // host that it failed on for its environment
    // While it runs.
    bool cancel_wanted = false;
    bool trainer_lost = false;
    bool builds = false;  // its tokens may not be there yet
    double started = 0.0, ends = 0.0;
    std::vector<int> slots;
  };
  struct Choice {
    std::size_t place = 0;
    std::vector<int> slots;
  };
  // Slots that a gang waits for.
  struct Hold {
    SlotPool::Way way;
    double start = 0.0;   // when it will probably have them
    int besides = 0;      // slots that are idle then, too
    bool closed = false;  // nothing is backfilled
  };

  void enter(PlannedRun run, bool late);
  void change(std::size_t place, State state);
  std::size_t& counter(State state);
  static RunQueue::Traits traits_of(const Entry& entry);
  void leave_slots(Entry& run);
  double expected_end(const Entry& run, const Clock& clock) const;
  void learn_ends(const Clock& clock);

  std::optional<Choice> choose(const Clock& clock);
  std::optional<Choice> pick(const RunQueue::Queue& queue, const SlotPool::Way& way) const;
  // For this slot, of those whose cost is at least `shortest`; for another of the way where a run
  // avoids its host.
  std::optional<Choice> pick_from(const RunQueue::Order& order, double shortest,
                                  const SlotPool::Way& way, int rank) const;
  bool avoids(const Entry& run, int rank) const;
  bool waits_for_tokens(const Entry& run) const;
  std::optional<Hold> hold_for(const RunQueue::Queue& queue, const Clock& clock);
  std::optional<Choice> backfill(const RunQueue::Queue& queue, const Hold& hold,
                                 const Clock& clock) const;

  SlotPool pool_;
  RunQueue queue_;
  std::deque<Entry> entries_;                                // in starting order
  std::unordered_map<std::string_view, std::size_t> index_;  // by the ids in entries_, which stay
  // Expected ends of what runs, and the slots, by group.
  std::map<SlotPool::Group, std::set<std::pair<double, int>>> ends_;
  bool ends_known_ = false;
  std::unordered_map<std::uint64_t, int> building_;  // token files, and how many may be making them
  std::unordered_set<std::uint64_t> built_;          // token sets
  struct Reservation {
    std::size_t head = 0;  // the gang that waits for slots
    double until = 0.0;    // nothing is backfilled after
  };
  std::optional<Reservation> reservation_;
  ScheduleCounts counts_;
};

// As the scheduler starts them where nothing else decides: by priority, oracle rows, work.
void sort_for_start(std::vector<PlannedRun>& runs);

}  // namespace marquee::orchestrator
