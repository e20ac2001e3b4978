#include "orchestrator/scheduling/run_queue.h"

#include <algorithm>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

// What a run can be found by: its base and task, and its base.
std::set<Loaded> keys_of(const Loaded& wants) {
  if (wants.base == 0) return {};
  return {wants, {wants.base, 0}};
}

}  // namespace

std::size_t RunQueue::queue_for(const Traits& traits, const Estimate& estimate) {
  std::vector<SlotPool::Way> ways = pool_.ways(traits.need, traits.slots, estimate.peak_bytes);
  const auto [known, fresh] =
      queue_of_.try_emplace({traits.tier, traits.slots, ways}, queues_.size());
  if (fresh) queues_.push_back({traits.tier, traits.slots, std::move(ways)});
  return known->second;
}

std::size_t RunQueue::add(std::size_t place, const Traits& traits, double cost) {
  const auto [known, fresh] =
      class_of_.try_emplace({traits, traits.kind == 0 ? cost : 0.0}, classes_.size());
  const std::size_t number = known->second;
  if (fresh) {
    Class& made = classes_.emplace_back();
    made.traits = traits;
    made.estimate.cost = cost;
    if (traits.kind != 0) {
      classes_of_kind_[traits.kind].push_back(number);
      const auto estimate = estimates_.find(traits.kind);
      if (estimate != estimates_.end()) made.estimate = estimate->second;
    }
    made.queue = queue_for(traits, made.estimate);
  }
  Class& its_class = classes_[number];
  // The class stands where its first run does.
  const bool first = its_class.places.empty() || place < *its_class.places.begin();
  if (first) leave(number);
  MARQUEE_CHECK(its_class.places.insert(place).second, "a run waits twice");
  if (first) {
    enter(number);
  } else if (its_class.parked) {
    ++parked_;
  }
  return number;
}

void RunQueue::remove(std::size_t place, std::size_t its_class) {
  Class& left = classes_[its_class];
  MARQUEE_CHECK(left.places.contains(place), "a run left that did not wait");
  const bool first = place == *left.places.begin();
  if (first) leave(its_class);
  left.places.erase(place);
  if (first) {
    enter(its_class);
  } else if (left.parked) {
    --parked_;
  }
}

void RunQueue::enter(std::size_t number) {
  Class& entered = classes_[number];
  if (entered.places.empty()) return;
  if (entered.estimate.to_checkpoint > seconds_left_ || seconds_left_ <= 0) {
    entered.parked = true;
    parked_ += entered.places.size();
    return;
  }
  const auto [cost, place] = entered.rank();
  Queue& queue = queues_[entered.queue];
  queue.longest_first.insert({cost, place, number});
  for (const Loaded& key : keys_of(entered.traits.wants))
    queue.by_loaded[key].insert({cost, place, number});
  slowest_.insert({-entered.estimate.to_checkpoint, number});
}

void RunQueue::leave(std::size_t number) {
  Class& left = classes_[number];
  if (left.places.empty()) return;
  if (left.parked) {
    left.parked = false;
    parked_ -= left.places.size();
    return;
  }
  const auto [cost, place] = left.rank();
  Queue& queue = queues_[left.queue];
  queue.longest_first.erase({cost, place, number});
  for (const Loaded& key : keys_of(left.traits.wants)) {
    const auto order = queue.by_loaded.find(key);
    order->second.erase({cost, place, number});
    if (order->second.empty()) queue.by_loaded.erase(order);
  }
  slowest_.erase({-left.estimate.to_checkpoint, number});
}

void RunQueue::set_estimate(std::uint64_t kind, const Estimate& estimate) {
  estimates_[kind] = estimate;
  const auto known = classes_of_kind_.find(kind);
  if (known == classes_of_kind_.end()) return;
  for (const std::size_t number : known->second) {
    Class& changed = classes_[number];
    if (changed.estimate == estimate) continue;
    leave(number);
    const bool moves = changed.estimate.peak_bytes != estimate.peak_bytes;
    changed.estimate = estimate;
    if (moves) changed.queue = queue_for(changed.traits, estimate);
    enter(number);
  }
}

void RunQueue::park_slower_than(double seconds_left) {
  seconds_left_ = std::min(seconds_left_, seconds_left);
  while (!slowest_.empty() && (-slowest_.begin()->first > seconds_left_ || seconds_left_ <= 0)) {
    const std::size_t number = slowest_.begin()->second;
    leave(number);
    enter(number);
  }
}

std::vector<const RunQueue::Queue*> RunQueue::queues() const {
  std::vector<const Queue*> waiting;
  for (const Queue& queue : queues_)
    if (!queue.longest_first.empty() && !queue.ways.empty()) waiting.push_back(&queue);
  // Work is duration times slots.
  const auto key = [](const Queue* queue) {
    const auto& [cost, place, number] = *queue->longest_first.begin();
    return std::tuple(queue->tier, cost * queue->slots, place);
  };
  std::sort(waiting.begin(), waiting.end(),
            [&](const Queue* a, const Queue* b) { return key(a) < key(b); });
  return waiting;
}

void RunQueue::ways_changed() {
  for (std::size_t number = 0; number < classes_.size(); ++number) {
    leave(number);
    classes_[number].queue = queue_for(classes_[number].traits, classes_[number].estimate);
    enter(number);
  }
}

bool RunQueue::could_do_without(const std::string& host) const {
  return std::all_of(classes_.begin(), classes_.end(), [&](const Class& one) {
    return one.places.empty() ||
           !pool_.ways_without(host, one.traits.need, one.traits.slots).empty();
  });
}

}  // namespace marquee::orchestrator
