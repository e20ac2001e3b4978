// One agent's side of the swaps between the trainers of a gang: when a swap may start, and what is
// still owed when the gang has ended. A swap cannot be taken back, and one that a single side has
// started would never end; so both sides say that they are ready, and a swap is started by both or
// by none: by whoever has said so and heard so, even when its own gang has ended meanwhile. Pure
// logic; not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

class GangExchange {
 public:
  struct Ways {
    std::function<void(int member, const PeerMessage&)> tell;
    // Starts a swap of the first `bytes` of the memory's halves; ended by swapped().
    std::function<void(int member, std::int64_t bytes)> start;
    // The trainer may go on.
    std::function<void(std::int64_t sequence)> finished;
  };
  GangExchange(GangPlace place, Ways ways);

  const GangPlace& place() const { return place_; }

  // The trainer wants to swap with a member. Throws environment for what no swap can be: another
  // one is wanted already, no such member, a sequence or size unlike the partner's.
  void want(int partner, std::int64_t sequence, std::int64_t bytes);
  // Of another member's agent. SwapReady throws environment as want() does.
  void take(int member, const PeerMessage& message);
  // The swap that was started has ended.
  void swapped();
  // No more swaps: the trainer is done, or gone.
  void leave();

  bool waiting() const { return wanted_.has_value() && !left_; }
  // Nothing is owed to anybody: it may be forgotten. Only after leave().
  bool settled() const { return left_ && !wanted_; }

 private:
  struct Swap {
    int partner = 0;
    std::int64_t sequence = 0, bytes = 0;
    bool started = false;
  };
  void start_if_both(int member);

  GangPlace place_;
  Ways ways_;
  std::optional<Swap> wanted_;
  std::map<int, SwapReady> ready_;  // members that wait for this one
  std::set<int> ended_;             // members that start nothing new
  bool left_ = false;
};

}  // namespace marquee::orchestrator
