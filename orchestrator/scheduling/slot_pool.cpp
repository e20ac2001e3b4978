#include "orchestrator/scheduling/slot_pool.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fnmatch.h>

#include "cluster/error.h"
#include "orchestrator/scheduling/placement.h"

namespace marquee::orchestrator {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

bool is_kind(const std::string& kind, const std::string& pattern) {
  return pattern.empty() ||
         ::fnmatch(("*" + pattern + "*").c_str(), kind.c_str(), FNM_CASEFOLD) == 0;
}

bool fits(double gib, const SlotNeed& need) {
  return gib >= need.memory_gib && (need.more_than_gib < 0 || gib > need.more_than_gib);
}

}  // namespace

SlotPool::SlotPool(const std::map<int, SlotFacts>& slots) {
  using Name = std::pair<double, std::string>;
  const auto name_of = [](const SlotFacts& facts) {
    return Name(std::round(static_cast<double>(facts.memory_bytes) / kGiB), facts.kind);
  };
  std::map<Name, Group> names;
  for (const auto& [rank, facts] : slots) names.emplace(name_of(facts), 0);
  for (auto& [name, group] : names) {
    group = groups_.size();
    groups_.push_back({});
    groups_.back().gib = name.first;
    groups_.back().kind = name.second;
  }
  for (const auto& [rank, facts] : slots) {
    const Group group = names.at(name_of(facts));
    slots_[rank] = {facts, group, {}, false};
    ++groups_[group].slots;
    ++groups_[group].slots_by_host[facts.host];
    set_idle(rank, true);
  }
}

SlotPool SlotPool::uniform(int slots) {
  std::map<int, SlotFacts> all;
  for (int rank = 1; rank <= slots; ++rank) all[rank] = {};
  return SlotPool(all);
}

int SlotPool::slots_of(const Way& way, const std::string& without) const {
  int slots = 0;
  for (const Group group : way) {
    slots += groups_[group].slots;
    const auto there = groups_[group].slots_by_host.find(without);
    if (there != groups_[group].slots_by_host.end() && !excluded(without)) slots -= there->second;
  }
  return slots;
}

std::vector<SlotPool::Way> SlotPool::ways(const SlotNeed& need, int slots,
                                          std::int64_t peak_bytes) const {
  static const std::string kNoHost(1, '\0');
  std::vector<Way> roomy = find_ways(kNoHost, need, slots, peak_bytes);
  return roomy.empty() && peak_bytes > 0 ? find_ways(kNoHost, need, slots, 0) : roomy;
}

std::vector<SlotPool::Way> SlotPool::ways_without(const std::string& host, const SlotNeed& need,
                                                  int slots) const {
  return find_ways(host, need, slots, 0);
}

std::vector<SlotPool::Way> SlotPool::find_ways(const std::string& without, const SlotNeed& need,
                                               int slots, std::int64_t peak_bytes) const {
  std::map<std::string, Way> ways;  // by kind, where it matters
  for (Group group = 0; group < groups_.size(); ++group) {
    const SlotGroup& candidate = groups_[group];
    const bool large =
        candidate.gib == 0 || static_cast<double>(peak_bytes) <= candidate.gib * kGiB;
    if (is_kind(candidate.kind, need.kind) && fits(candidate.gib, need) && large)
      ways[slots > 1 ? candidate.kind : ""].push_back(group);
  }
  std::vector<Way> found;
  for (auto& [kind, way] : ways)
    if (slots_of(way, without) >= slots) found.push_back(std::move(way));
  return found;
}

int SlotPool::idle(const Way& way) const {
  int idle = 0;
  for (const Group group : way) idle += static_cast<int>(groups_[group].idle.size());
  return idle;
}

std::set<std::string> SlotPool::hosts() const {
  std::set<std::string> hosts;
  for (const auto& [rank, slot] : slots_)
    if (!excluded(slot.facts.host)) hosts.insert(slot.facts.host);
  return hosts;
}

std::vector<std::string> SlotPool::describe() const {
  std::vector<std::string> words;
  for (const SlotGroup& group : groups_) {
    const std::string memory =
        group.gib > 0 ? fmt::format("{:.0f} GiB", group.gib) : "memory not known";
    words.push_back(fmt::format("{} x {} ({})", group.slots,
                                group.kind.empty() ? "unknown device" : group.kind, memory));
  }
  return words;
}

int SlotPool::choose(const Way& way, const Loaded& wanted) const {
  constexpr int kNobody = std::numeric_limits<int>::min();
  const Group* first = nullptr;
  int same_base = kNobody;
  for (const Group& group : way) {
    const SlotGroup& candidates = groups_[group];
    if (candidates.idle.empty()) continue;
    if (first == nullptr) first = &group;
    if (wanted.base == 0) continue;
    const auto found = candidates.idle_by_loaded.lower_bound({wanted, kNobody});
    if (found != candidates.idle_by_loaded.end() && found->first == wanted) return found->second;
    const auto other = candidates.idle_by_loaded.lower_bound({{wanted.base, 0}, kNobody});
    if (same_base == kNobody && other != candidates.idle_by_loaded.end() &&
        other->first.base == wanted.base)
      same_base = other->second;
  }
  MARQUEE_CHECK(first != nullptr, "no slot is idle where a run was to start");
  return same_base != kNobody ? same_base : *groups_[*first].idle.begin();
}

std::optional<int> SlotPool::idle_elsewhere(const Way& way, const std::string& host) const {
  for (const Group group : way)
    for (const int rank : groups_[group].idle)
      if (facts(rank).host != host) return rank;
  return std::nullopt;
}

std::vector<int> SlotPool::choose_gang(const Way& way, int slots) const {
  std::map<std::string, std::vector<int>> idle;  // by host
  for (const Group group : way)
    for (const int rank : groups_[group].idle) idle[facts(rank).host].push_back(rank);
  return choose_agents(idle, slots);
}

void SlotPool::set_idle(int rank, bool idle) {
  Slot& slot = slots_.at(rank);
  MARQUEE_CHECK(slot.idle != idle, "a slot was taken or released twice");
  slot.idle = idle;
  SlotGroup& group = groups_[slot.group];
  idle_ += idle ? 1 : -1;
  if (idle) {
    group.idle.insert(rank);
    group.idle_by_loaded.insert({slot.loaded, rank});
  } else {
    group.idle.erase(rank);
    group.idle_by_loaded.erase({slot.loaded, rank});
  }
}

void SlotPool::take(int rank) {
  set_idle(rank, false);
}

void SlotPool::release(int rank, const Loaded& loaded) {
  Slot& slot = slots_.at(rank);
  slot.loaded = loaded;
  if (!excluded(slot.facts.host)) set_idle(rank, true);
}

void SlotPool::exclude(const std::string& host) {
  if (!excluded_.insert(host).second) return;
  for (const auto& [rank, slot] : slots_) {
    if (slot.facts.host != host) continue;
    --groups_[slot.group].slots;
    if (slot.idle) set_idle(rank, false);
  }
}

}  // namespace marquee::orchestrator
