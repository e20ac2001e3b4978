#include "orchestrator/gangs/gangs.h"

#include <utility>

#include "cluster/error.h"

namespace marquee::orchestrator {

std::uint64_t Gangs::start(std::vector<int> agents) {
  MARQUEE_CHECK(!agents.empty(), "a gang of nobody");
  Gang& gang = gangs_[++last_generation_];
  gang.working = {agents.begin(), agents.end()};
  gang.members = std::move(agents);
  return last_generation_;
}

void Gangs::forget(std::uint64_t generation) {
  gangs_.erase(generation);
}

const std::vector<int>& Gangs::members(std::uint64_t generation) const {
  const auto found = gangs_.find(generation);
  MARQUEE_CHECK(found != gangs_.end(), "no such gang");
  return found->second.members;
}

std::optional<Gangs::Change> Gangs::end_part(int agent, std::uint64_t generation, bool failed) {
  return end(agent, generation, failed, std::nullopt);
}

std::optional<Gangs::Change> Gangs::end_attempt(int agent, std::uint64_t generation,
                                                AttemptEnded ended) {
  const bool failed = ended.record.status != "done";
  return end(agent, generation, failed, std::move(ended));
}

std::optional<Gangs::Change> Gangs::end(int agent, std::uint64_t generation, bool failed,
                                        std::optional<AttemptEnded> attempt) {
  const auto found = gangs_.find(generation);
  if (found == gangs_.end()) return std::nullopt;
  Gang& gang = found->second;
  const bool first = agent == gang.members.front();
  if (first != attempt.has_value() || gang.working.erase(agent) == 0) return std::nullopt;
  if (first) gang.attempt = std::move(attempt);
  Change change;
  if (failed && !std::exchange(gang.ending, true))
    change.to_end.assign(gang.working.begin(), gang.working.end());
  if (gang.working.empty()) change.attempt = gang.attempt;
  return change;
}

}  // namespace marquee::orchestrator
