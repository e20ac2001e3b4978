// The coordinator's book of gangs: which agents work on a run together, which of them still do, and
// how the member of rank 0 says that the attempt ended. The attempt is over when the last member
// has ended: until then one may still read its checkpoints. Pure logic; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

class Gangs {
 public:
  // What the end of a member's part brings about.
  struct Change {
    std::vector<int> to_end{};              // agents that must be told to end, too
    std::optional<AttemptEnded> attempt{};  // all have ended: what rank 0 said
  };

  // By rank in the gang. Returns its generation, which no other gang has had.
  std::uint64_t start(std::vector<int> agents);
  void forget(std::uint64_t generation);
  // Of a gang that is not forgotten; the first one has rank 0.
  const std::vector<int>& members(std::uint64_t generation) const;

  // The part of an agent, which is not rank 0, has ended; `failed`: without being done. nullopt,
  // and nothing has changed: it does not work in such a gang.
  std::optional<Change> end_part(int agent, std::uint64_t generation, bool failed);
  // The same of rank 0.
  std::optional<Change> end_attempt(int agent, std::uint64_t generation, AttemptEnded ended);

 private:
  struct Gang {
    std::vector<int> members;
    std::set<int> working;  // of these, those that have not ended
    std::optional<AttemptEnded> attempt{};
    bool ending = false;  // the others have been told to end
  };
  std::optional<Change> end(int agent, std::uint64_t generation, bool failed,
                            std::optional<AttemptEnded> attempt);

  std::map<std::uint64_t, Gang> gangs_;  // by generation
  std::uint64_t last_generation_ = 0;
};

}  // namespace marquee::orchestrator
