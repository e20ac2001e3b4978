// Finds hosts that fail run after run for reasons of their own (data that are not mounted, a broken
// driver) while others work. Pure logic, deterministic; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/scheduling/failure_kind.h"

namespace marquee::orchestrator {

class HostHealth {
 public:
  // At least so many different runs must have failed on a host, and as many as it has slots: a few
  // that fail wherever they run say nothing about it.
  static constexpr int kRuns = 3;

  struct Failure {
    std::string run_id;
    FailureKind kind = FailureKind::environment;
  };

  // A run there has taken a step, or has finished: what it read and loaded was all right.
  void works(const std::string& host);
  // A run's environment failed there, or its trainer never started. True when a host of so many
  // slots should get no more runs: since one has last worked there enough different ones have
  // failed so, and meanwhile others worked elsewhere.
  bool failed(const std::string& host, int slots, const Failure& failure);

  // Failures of the host since a run has last worked there.
  const std::vector<Failure>& failures(const std::string& host) const;

 private:
  struct Host {
    std::uint64_t last_work = 0;  // number of the event
    std::uint64_t first_failure = 0;
    std::vector<Failure> failures{};
    std::set<std::string> runs{};  // of the failures
  };
  std::map<std::string, Host> hosts_;
  std::uint64_t events_ = 0;
};

}  // namespace marquee::orchestrator
