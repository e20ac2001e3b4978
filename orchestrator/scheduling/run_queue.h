// What waits, in the order in which it should start. Runs that are alike (same priority, need,
// expected duration, base and task) form a class, so that a new estimate moves one class and not
// thousands of runs. Classes that can go to the same slots form a queue, the longest first; queues
// stand in tiers. Everything takes the logarithm of what waits. Deterministic; not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orchestrator/scheduling/slot_pool.h"

namespace marquee::orchestrator {

// Of the runs of a kind (PlannedRun::kind).
struct Estimate {
  double cost = 0;              // expected duration, in seconds or relative to the others
  double to_checkpoint = 0;     // seconds until something of it is safe; 0: not known
  std::int64_t peak_bytes = 0;  // 0: not known

  bool operator==(const Estimate&) const = default;
};

class RunQueue {
 public:
  // Smaller starts first: runs that were added later, priority (negative), oracle rows (0) before
  // others (1).
  using Tier = std::tuple<bool, int, int>;
  struct Traits {
    Tier tier;
    int slots = 1;
    SlotNeed need{};
    std::uint64_t kind = 0;  // 0: of its own, by its cost
    Loaded wants{};

    bool operator<(const Traits& other) const {
      return std::tie(tier, slots, need, kind, wants) <
             std::tie(other.tier, other.slots, other.need, other.kind, other.wants);
    }
  };
  struct Class {
    Traits traits;
    Estimate estimate;
    std::set<std::size_t> places;  // of the runs that wait
    std::size_t queue = 0;
    bool parked = false;
    // The most work first, then the first place.
    std::pair<double, std::size_t> rank() const {
      return {-estimate.cost, places.empty() ? 0 : *places.begin()};
    }
  };
  // By rank(), then the number of the class.
  using Order = std::set<std::tuple<double, std::size_t, std::size_t>>;
  struct Queue {
    Tier tier;
    int slots = 1;
    std::vector<SlotPool::Way> ways;
    Order longest_first{};
    std::map<Loaded, Order> by_loaded{};  // with {base, 0} all of a base
  };

  explicit RunQueue(const SlotPool& pool) : pool_(pool) {}

  // The run at `place`, which is the order among equals. `cost` counts where nobody has estimated
  // its kind. Returns its class.
  std::size_t add(std::size_t place, const Traits& traits, double cost);
  void remove(std::size_t place, std::size_t its_class);

  void set_estimate(std::uint64_t kind, const Estimate& estimate);
  const Estimate& estimate(std::size_t its_class) const { return classes_[its_class].estimate; }

  // Sets those aside that need longer until a checkpoint; so much time is left, and it only
  // shrinks.
  void park_slower_than(double seconds_left);
  // Waiting runs that are set aside.
  std::size_t parked() const { return parked_; }

  // Queues with something in them, the one whose head comes first in front.
  std::vector<const Queue*> queues() const;
  const Class& at(std::size_t its_class) const { return classes_[its_class]; }

  // A host has been excluded: where runs can go has changed.
  void ways_changed();
  // Whether each waiting run could still be placed somewhere.
  bool could_do_without(const std::string& host) const;

 private:
  void enter(std::size_t number);
  void leave(std::size_t number);
  std::size_t queue_for(const Traits& traits, const Estimate& estimate);

  const SlotPool& pool_;
  std::vector<Class> classes_;
  std::map<std::pair<Traits, double>, std::size_t> class_of_;  // the cost where the kind is 0
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> classes_of_kind_;
  std::unordered_map<std::uint64_t, Estimate> estimates_;
  std::vector<Queue> queues_;
  std::map<std::tuple<Tier, int, std::vector<SlotPool::Way>>, std::size_t> queue_of_;
  std::set<std::pair<double, std::size_t>> slowest_;  // to_checkpoint (negative) and class
  double seconds_left_ = std::numeric_limits<double>::infinity();
  std::size_t parked_ = 0;
};

}  // namespace marquee::orchestrator
