#include "orchestrator/scheduling/scheduler.h"

#include <algorithm>
#include <utility>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

constexpr double kAboutEqual = 0.9;  // of the longest: so much shorter may start in its place
constexpr double kMayPass = 0.5;     // the same, where the longest would wait for a token cache
constexpr int kMostLooks = 64, kMostLooksOfAClass = 4;  // at runs that others may pass
constexpr double kPatience = 0.25;                      // of the wait that was expected at first

SlotPool::Way without(const SlotPool::Way& way, const SlotPool::Way& held) {
  SlotPool::Way open;
  for (const SlotPool::Group group : way)
    if (std::find(held.begin(), held.end(), group) == held.end()) open.push_back(group);
  return open;
}

}  // namespace

void sort_for_start(std::vector<PlannedRun>& runs) {
  std::stable_sort(runs.begin(), runs.end(), [](const PlannedRun& a, const PlannedRun& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    return a.oracle != b.oracle ? a.oracle : a.cost * a.slots > b.cost * b.slots;
  });
}

Scheduler::Scheduler(std::vector<PlannedRun> runs, SlotPool pool)
    : pool_(std::move(pool)), queue_(pool_) {
  sort_for_start(runs);
  for (PlannedRun& run : runs) enter(std::move(run), /*late=*/false);
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
  if (entry.state == state) return;
  --counter(entry.state);
  ++counter(state);
  if (entry.state == State::waiting) queue_.remove(place, entry.its_class);
  if (entry.state == State::running) leave_slots(entry);
  entry.state = state;
  if (state == State::waiting)
    entry.its_class = queue_.add(place, traits_of(entry), entry.run.cost);
}

RunQueue::Traits Scheduler::traits_of(const Entry& entry) {
  const PlannedRun& run = entry.run;
  return {
      {entry.late, -run.priority, run.oracle ? 0 : 1}, run.slots, run.need, run.kind, run.wants};
}

void Scheduler::leave_slots(Entry& run) {
  for (const int rank : run.slots) {
    auto& ends = ends_[pool_.group_of(rank)];
    ends.erase(ends.find({run.ends, rank}));
    pool_.release(rank, run.trainer_lost ? Loaded() : run.run.wants);
  }
  run.slots.clear();
  const auto file = building_.find(run.run.token_file);
  if (std::exchange(run.builds, false) && --file->second == 0) building_.erase(file);
}

void Scheduler::mark_done(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  if (entries_[place].run.token_set != 0) built_.insert(entries_[place].run.token_set);
  change(place, State::done);
}

void Scheduler::add(PlannedRun run) {
  enter(std::move(run), /*late=*/true);
}

void Scheduler::enter(PlannedRun run, bool late) {
  MARQUEE_CHECK(!knows(run.run_id), "run " + run.run_id + " planned twice");
  const std::size_t place = entries_.size();
  Entry& planned = entries_.emplace_back();
  planned.run = std::move(run);
  planned.late = late;
  planned.its_class = queue_.add(place, traits_of(planned), planned.run.cost);
  index_.emplace(planned.run.run_id, place);
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
  run.avoids.clear();
  run.run.need.more_than_gib = SlotNeed{}.more_than_gib;
  change(place, State::waiting);
}

void Scheduler::finished_elsewhere(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  if (entries_[place].state != State::running) change(place, State::done);
}

void Scheduler::set_estimate(std::uint64_t kind, const Estimate& estimate) {
  queue_.set_estimate(kind, estimate);
}

bool Scheduler::may_start(const Clock& clock) {
  return choose(clock).has_value();
}

std::optional<Scheduler::Start> Scheduler::next(const Clock& clock) {
  std::optional<Choice> choice = choose(clock);
  if (!choice) return std::nullopt;
  Entry& run = entries_[choice->place];
  change(choice->place, State::running);
  if (reservation_ && reservation_->head == choice->place) reservation_.reset();
  run.slots = std::move(choice->slots);
  run.trainer_lost = false;
  run.started = clock.now;
  run.ends = expected_end(run, clock);
  for (const int rank : run.slots) {
    pool_.take(rank);
    ends_[pool_.group_of(rank)].insert({run.ends, rank});
  }
  run.builds = run.run.token_file != 0 && !built_.contains(run.run.token_set);
  if (run.builds) ++building_[run.run.token_file];
  return Start{run.run.run_id, run.slots};
}

double Scheduler::expected_end(const Entry& run, const Clock& clock) const {
  if (clock.cost_per_second <= 0) return std::numeric_limits<double>::infinity();
  return run.started + queue_.estimate(run.its_class).cost / clock.cost_per_second;
}

// What had started before anybody knew how fast runs go.
void Scheduler::learn_ends(const Clock& clock) {
  if (ends_known_ || clock.cost_per_second <= 0) return;
  ends_known_ = true;
  for (Entry& run : entries_) {
    if (run.state != State::running) continue;
    const double before = std::exchange(run.ends, expected_end(run, clock));
    for (const int rank : run.slots) {
      auto& ends = ends_[pool_.group_of(rank)];
      ends.erase(ends.find({before, rank}));
      ends.insert({run.ends, rank});
    }
  }
}

std::optional<Scheduler::Choice> Scheduler::choose(const Clock& clock) {
  learn_ends(clock);
  queue_.park_slower_than(clock.seconds_left);
  if (pool_.idle() == 0) return std::nullopt;
  std::optional<Hold> hold;
  for (const RunQueue::Queue* queue : queue_.queues()) {
    for (const SlotPool::Way& way : queue->ways) {
      const SlotPool::Way open = hold ? without(way, hold->way) : way;
      if (pool_.idle(open) < queue->slots) continue;
      if (auto choice = pick(*queue, open)) return choice;
    }
    if (hold) {
      if (auto choice = backfill(*queue, *hold, clock)) return choice;
    } else if (queue->slots > 1) {
      // Single runs that find no slot hold none back: the next that fits is theirs anyway.
      hold = hold_for(*queue, clock);
    }
  }
  return std::nullopt;
}

std::optional<Scheduler::Choice> Scheduler::pick(const RunQueue::Queue& queue,
                                                 const SlotPool::Way& way) const {
  const RunQueue::Order& order = queue.longest_first;
  if (queue.slots > 1)
    return Choice{std::get<1>(*order.begin()), pool_.choose_gang(way, queue.slots)};
  const double longest = -std::get<0>(*order.begin());
  const Loaded& wants = queue_.at(std::get<2>(*order.begin())).traits.wants;
  const int rank = pool_.choose(way, wants);
  const Loaded& loaded = pool_.loaded(rank);
  if (loaded.base != 0 && loaded != wants) {
    for (const Loaded& key : {loaded, Loaded{loaded.base, 0}}) {
      // The head finds its base here as well as others do.
      if (key.task == 0 && key.base == wants.base) break;
      const auto alike = queue.by_loaded.find(key);
      if (alike == queue.by_loaded.end()) continue;
      if (auto choice = pick_from(alike->second, kAboutEqual * longest, way, rank)) return choice;
    }
  }
  return pick_from(order, kMayPass * longest, way, rank);
}

std::optional<Scheduler::Choice> Scheduler::pick_from(const RunQueue::Order& order, double shortest,
                                                      const SlotPool::Way& way, int rank) const {
  std::optional<Choice> first;
  int looks = 0;
  for (const auto& [cost, place, number] : order) {
    if (-cost < shortest || looks >= kMostLooks) break;
    int looks_of_class = 0;
    for (const std::size_t candidate : queue_.at(number).places) {
      if (++looks_of_class > kMostLooksOfAClass) break;
      ++looks;
      const Entry& run = entries_[candidate];
      const std::optional<int> slot =
          avoids(run, rank) ? pool_.idle_elsewhere(way, run.avoids) : rank;
      if (!slot) continue;
      if (!waits_for_tokens(run)) return Choice{candidate, {*slot}};
      if (!first) first = Choice{candidate, {*slot}};
    }
  }
  // All would wait for one cache: then at least no slot is idle.
  return first;
}

bool Scheduler::avoids(const Entry& run, int rank) const {
  return !run.avoids.empty() && pool_.facts(rank).host == run.avoids &&
         !pool_.ways_without(run.avoids, run.run.need, run.run.slots).empty();
}

bool Scheduler::waits_for_tokens(const Entry& run) const {
  return building_.contains(run.run.token_file) && !built_.contains(run.run.token_set);
}

std::optional<Scheduler::Hold> Scheduler::hold_for(const RunQueue::Queue& queue,
                                                   const Clock& clock) {
  constexpr std::size_t kMore = 16;  // looks for slots that are idle then, too
  std::optional<Hold> best;
  for (const SlotPool::Way& way : queue.ways) {
    const auto missing = static_cast<std::size_t>(std::max(0, queue.slots - pool_.idle(way)));
    if (missing == 0) continue;  // none of its runs may start there
    std::vector<double> ends;
    for (const SlotPool::Group group : way) {
      std::size_t taken = 0;
      for (const auto& [end, rank] : ends_[group]) {
        if (++taken > missing + kMore) break;
        ends.push_back(std::max(clock.now, end));
      }
    }
    if (ends.size() < missing) continue;
    std::sort(ends.begin(), ends.end());
    const double start = ends[missing - 1];
    const auto idle_then = std::upper_bound(ends.begin(), ends.end(), start) - ends.begin();
    if (best && best->start <= start) continue;
    best = Hold{way, start, static_cast<int>(idle_then) - static_cast<int>(missing)};
  }
  if (!best) return best;
  const std::size_t head = std::get<1>(*queue.longest_first.begin());
  if (clock.cost_per_second <= 0) {
    best->closed = true;
  } else {
    if (!reservation_ || reservation_->head != head)
      reservation_ = {head, best->start + kPatience * (best->start - clock.now)};
    best->closed = clock.now > reservation_->until;
  }
  return best;
}

std::optional<Scheduler::Choice> Scheduler::backfill(const RunQueue::Queue& queue, const Hold& hold,
                                                     const Clock& clock) const {
  if (hold.closed) return std::nullopt;
  const double longest = (hold.start - clock.now) * clock.cost_per_second;
  const RunQueue::Order& order = queue.longest_first;
  const auto found =
      queue.slots <= hold.besides ? order.begin() : order.lower_bound({-longest, 0, 0});
  if (found == order.end()) return std::nullopt;
  const std::size_t place = std::get<1>(*found);
  for (const SlotPool::Way& way : queue.ways) {
    if (pool_.idle(way) < queue.slots) continue;
    if (queue.slots > 1) return Choice{place, pool_.choose_gang(way, queue.slots)};
    const int rank = pool_.choose(way, queue_.at(std::get<2>(*found)).traits.wants);
    if (!avoids(entries_[place], rank)) return Choice{place, {rank}};
  }
  return std::nullopt;
}

void Scheduler::has_tokens(const std::string& run_id) {
  Entry& run = entries_[place_of(run_id)];
  if (run.run.token_set != 0) built_.insert(run.run.token_set);
  const auto file = building_.find(run.run.token_file);
  if (std::exchange(run.builds, false) && --file->second == 0) building_.erase(file);
}

void Scheduler::finished(const std::string& run_id) {
  const std::size_t place = place_of(run_id);
  Entry& run = entries_[place];
  MARQUEE_CHECK(run.state == State::running, "run " + run_id + " finished without running");
  run.cancel_wanted = false;
  if (run.run.token_set != 0) built_.insert(run.run.token_set);
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
  bool again = kind == FailureKind::interrupted || run.failures < attempts_allowed(kind);
  run.trainer_lost =
      kind == FailureKind::crash || kind == FailureKind::deadline || kind == FailureKind::protocol;
  if (kind == FailureKind::environment) run.avoids = pool_.facts(run.slots.front()).host;
  if (kind == FailureKind::out_of_memory) {
    for (const int rank : run.slots) {
      run.run.need.more_than_gib =
          std::max(run.run.need.more_than_gib, pool_.memory_gib(pool_.group_of(rank)));
    }
    again = again && could_place(run.run);
  }
  change(place, again ? State::waiting : State::failed);
  return again;
}

bool Scheduler::forgive(const std::string& run_id, FailureKind kind) {
  const std::size_t place = place_of(run_id);
  Entry& run = entries_[place];
  run.failures = std::max(0, run.failures - 1);
  if (run.state != State::failed || run.failures >= attempts_allowed(kind)) return false;
  change(place, State::waiting);
  return true;
}

bool Scheduler::could_place(const PlannedRun& run) const {
  return !pool_.ways(run.need, run.slots).empty();
}

bool Scheduler::exclude(const std::string& host) {
  if (pool_.hosts().size() < 2 || !queue_.could_do_without(host)) return false;
  pool_.exclude(host);
  queue_.ways_changed();
  return true;
}

bool Scheduler::complete() const {
  return counts_.waiting == 0 && counts_.running == 0;
}

}  // namespace marquee::orchestrator
