// What the agents of a results folder see over all the worlds that work on it, and what of it must
// not be: two attempts of one run at a time, work for an agent that works, a finished run again.
// Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

class Witness {
 public:
  // A coordinator has begun; the agents of the one before are gone.
  void begin_world();
  // The coordinator gives this to an agent.
  void note_assignment(int agent, const Assignment& assignment);
  // The agent says that its part of the attempt has ended; `done`: with a result.
  void note_end(int agent, const Assignment& assignment, bool done);
  // Another attempt of a finished run is wanted.
  void note_rerun(const std::string& run_id);
  // Part of the trace: what was said, when, and by or to whom.
  void note_message(double now, int rank, const std::string& what);
  void complain(const std::string& what);

  // Every run that the coordinator has told an agent it knows to be done, and the attempt.
  const std::map<std::string, int>& acknowledged() const { return acknowledged_; }
  // Attempts that ended with a result, as their agents said.
  const std::map<std::string, std::set<int>>& done() const { return done_; }
  const std::vector<std::string>& complaints() const { return complaints_; }
  std::uint64_t trace() const { return trace_; }
  std::size_t assignments() const { return assignments_; }
  std::size_t ends() const { return ends_; }
  std::size_t messages() const { return messages_; }
  int most_slots() const { return most_slots_; }

 private:
  struct Current {
    int attempt = 0;
    std::uint64_t generation = 0;
    std::size_t size = 1;
    std::set<int> working{}, seen{};  // agents
  };
  std::map<std::string, Current> current_;           // by run
  std::map<std::string, int> last_attempt_;          // of each run
  std::map<int, std::pair<std::string, int>> told_;  // by agent: done, and not acknowledged yet
  std::map<std::string, int> acknowledged_;
  std::map<std::string, std::set<int>> done_;
  std::set<int> busy_;
  std::vector<std::string> complaints_;
  std::uint64_t trace_ = 14'695'981'039'346'656'037U;
  std::size_t assignments_ = 0, ends_ = 0, messages_ = 0;
  int most_slots_ = 0;
};

}  // namespace marquee::orchestrator
