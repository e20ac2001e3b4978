#include "orchestrator/scheduling/host_health.h"

#include <algorithm>

namespace marquee::orchestrator {

void HostHealth::works(const std::string& host) {
  Host& own = hosts_[host];
  own.last_work = ++events_;
  own.failures.clear();
  own.runs.clear();
}

bool HostHealth::failed(const std::string& host, int slots, const Failure& failure) {
  Host& own = hosts_[host];
  ++events_;
  if (own.failures.empty()) own.first_failure = events_;
  own.failures.push_back(failure);
  own.runs.insert(failure.run_id);
  if (own.runs.size() < static_cast<std::size_t>(std::max(kRuns, slots))) return false;
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [&](const auto& other) { return other.second.last_work > own.first_failure; });
}

const std::vector<HostHealth::Failure>& HostHealth::failures(const std::string& host) const {
  static const std::vector<Failure> kNone;
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? kNone : found->second.failures;
}

}  // namespace marquee::orchestrator
