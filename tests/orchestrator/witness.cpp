#include "tests/orchestrator/witness.h"

#include <algorithm>

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kMostComplaints = 20;
constexpr std::uint64_t kPrime = 1'099'511'628'211U;  // FNV-1a

}  // namespace

void Witness::begin_world() {
  current_.clear();
  told_.clear();
  busy_.clear();
}

void Witness::note_assignment(int agent, const Assignment& assignment) {
  const std::string& run = assignment.run_id;
  const std::string which = run.substr(0, 12) + ", attempt " + std::to_string(assignment.attempt);
  if (const auto told = told_.find(agent); told != told_.end()) {
    acknowledged_.insert(told->second);
    told_.erase(told);
  }
  if (!busy_.insert(agent).second) complain("work for an agent that works: " + which);
  if (acknowledged_.contains(run)) complain("a finished run again: " + which);
  const auto size = static_cast<std::size_t>(assignment.gang.size());
  if (size != static_cast<std::size_t>(experiments::gang_size(assignment.run)))
    complain("a gang of another size: " + which);
  if (size > 1 &&
      assignment.gang.members.at(static_cast<std::size_t>(assignment.gang.rank)).agent != agent)
    complain("another member's place: " + which);
  const auto [found, first] = current_.try_emplace(run);
  Current& current = found->second;
  if (first) {
    int& last = last_attempt_[run];
    if (assignment.attempt <= last) complain("an attempt that was made before: " + which);
    last = assignment.attempt;
    current = {assignment.attempt, assignment.gang.generation, size};
  } else if (current.attempt != assignment.attempt ||
             current.generation != assignment.gang.generation || current.generation == 0) {
    complain("two attempts at a time: " + which);
  }
  if (!current.seen.insert(agent).second || current.seen.size() > size)
    complain("more members than the gang has: " + which);
  current.working.insert(agent);
  if (assignment.gang.rank == 0) ++assignments_;
  most_slots_ = std::max(most_slots_, static_cast<int>(busy_.size()));
}

void Witness::note_end(int agent, const Assignment& assignment, bool done) {
  busy_.erase(agent);
  if (const auto current = current_.find(assignment.run_id); current != current_.end()) {
    current->second.working.erase(agent);
    if (current->second.working.empty()) current_.erase(current);
  }
  if (assignment.gang.rank != 0) return;
  ++ends_;
  if (!done) return;
  done_[assignment.run_id].insert(assignment.attempt);
  told_[agent] = {assignment.run_id, assignment.attempt};
}

void Witness::note_rerun(const std::string& run_id) {
  acknowledged_.erase(run_id);
}

void Witness::note_message(double now, int rank, const std::string& what) {
  ++messages_;
  const auto mix = [&](const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) trace_ = (trace_ ^ bytes[i]) * kPrime;
  };
  mix(&now, sizeof now);
  mix(&rank, sizeof rank);
  mix(what.data(), what.size());
}

void Witness::complain(const std::string& what) {
  if (complaints_.size() < kMostComplaints) complaints_.push_back(what);
}

}  // namespace marquee::orchestrator
