// The slots of a sweep: what each is (host, device, memory), which are idle, what their trainers
// have loaded, and which of them a run may take. Slots with one device and the same memory form a
// group; there are few groups, so that questions cost the logarithm of the slots. Deterministic;
// not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace marquee::orchestrator {

struct SlotFacts {
  std::string host;
  std::string kind;               // name of its GPU, else of the processor
  std::int64_t memory_bytes = 0;  // of its GPU, else of the host; 0: not known

  bool operator==(const SlotFacts&) const = default;
};

// What a run asks of each of its slots.
struct SlotNeed {
  std::string kind;           // part of the device's name, * for anything; "": any
  double memory_gib = 0;      // at least; 0: any
  double more_than_gib = -1;  // it has run out of so much before; below 0: it has not

  bool operator==(const SlotNeed&) const = default;
  bool operator<(const SlotNeed& other) const {
    return std::tie(kind, memory_gib, more_than_gib) <
           std::tie(other.kind, other.memory_gib, other.more_than_gib);
  }
};

// Hashes of what a trainer keeps from run to run, or a run would like to find; 0: nothing.
struct Loaded {
  std::uint64_t base = 0, task = 0;

  bool operator==(const Loaded&) const = default;
  bool operator<(const Loaded& other) const {
    return std::tie(base, task) < std::tie(other.base, other.task);
  }
};

class SlotPool {
 public:
  using Group = std::size_t;
  // Groups that a run may take all of its slots from, those with the least memory first.
  using Way = std::vector<Group>;

  // By rank of the agent.
  explicit SlotPool(const std::map<int, SlotFacts>& slots);
  // Of one host and kind, ranks from 1.
  static SlotPool uniform(int slots);

  // How a run of so many slots can be placed, once enough are idle: a single one in any group that
  // fits, a gang in those of one kind. `peak_bytes`: memory that it is known to take (0: not
  // known); smaller slots are left out as long as there are larger ones. Empty: nowhere.
  std::vector<Way> ways(const SlotNeed& need, int slots, std::int64_t peak_bytes = 0) const;
  // The same, were a host not there.
  std::vector<Way> ways_without(const std::string& host, const SlotNeed& need, int slots) const;

  int size() const { return static_cast<int>(slots_.size()); }
  int idle() const { return idle_; }
  int idle(const Way& way) const;
  const SlotFacts& facts(int rank) const { return slots_.at(rank).facts; }
  Group group_of(int rank) const { return slots_.at(rank).group; }
  double memory_gib(Group group) const { return groups_[group].gib; }
  std::set<std::string> hosts() const;  // that are not excluded
  // "2 x NVIDIA H100 80GB HBM3 (80 GiB)", for each group.
  std::vector<std::string> describe() const;

  // An idle slot; the way must have one. One that has loaded `wanted`, else its base, else the
  // first.
  int choose(const Way& way, const Loaded& wanted) const;
  // One on another host than this.
  std::optional<int> idle_elsewhere(const Way& way, const std::string& host) const;
  // What the idle slot's trainer has loaded.
  const Loaded& loaded(int rank) const { return slots_.at(rank).loaded; }
  // So many idle slots: on one host where one has room, the one that they fill best; else on as
  // few hosts as will do.
  std::vector<int> choose_gang(const Way& way, int slots) const;

  void take(int rank);
  void release(int rank, const Loaded& loaded);
  // Its slots are idle no more, and no way leads there.
  void exclude(const std::string& host);
  bool excluded(const std::string& host) const { return excluded_.contains(host); }

 private:
  struct Slot {
    SlotFacts facts;
    Group group = 0;
    Loaded loaded{};
    bool idle = true;
  };
  struct SlotGroup {
    std::string kind;
    double gib = 0;  // rounded: a card of 80 GB says 79.6
    int slots = 0;   // not excluded
    std::set<int> idle;
    std::set<std::pair<Loaded, int>> idle_by_loaded;
    std::map<std::string, int> slots_by_host;
  };
  std::vector<Way> find_ways(const std::string& without, const SlotNeed& need, int slots,
                             std::int64_t peak_bytes) const;
  int slots_of(const Way& way, const std::string& without) const;
  void set_idle(int rank, bool idle);

  std::map<int, Slot> slots_;
  std::vector<SlotGroup> groups_;  // those with the least memory first
  std::set<std::string> excluded_;
  int idle_ = 0;
};

}  // namespace marquee::orchestrator
