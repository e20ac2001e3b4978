#include "orchestrator/gangs/gang_exchange.h"

#include <string>
#include <utility>

#include "cluster/error.h"

namespace marquee::orchestrator {

GangExchange::GangExchange(GangPlace place, Ways ways)
    : place_(std::move(place)), ways_(std::move(ways)) {}

void GangExchange::want(int partner, std::int64_t sequence, std::int64_t bytes) {
  if (wanted_ || left_) cluster::throw_environment("a swap is wanted while another one goes on");
  if (partner < 0 || partner >= place_.size() || partner == place_.rank) {
    cluster::throw_environment("a swap is wanted with member " + std::to_string(partner) +
                               " of a gang of " + std::to_string(place_.size()));
  }
  wanted_ = Swap{partner, sequence, bytes};
  if (ended_.contains(partner)) return;  // the coordinator will say why
  ways_.tell(partner, SwapReady{place_.generation, sequence, bytes});
  start_if_both(partner);
}

void GangExchange::take(int member, const PeerMessage& message) {
  if (const auto* ready = std::get_if<SwapReady>(&message)) {
    ready_[member] = *ready;
    start_if_both(member);
    return;
  }
  ended_.insert(member);
  // Messages keep their order: what it called ready before has been started.
  if (left_ && wanted_ && !wanted_->started && wanted_->partner == member) wanted_.reset();
}

void GangExchange::start_if_both(int member) {
  const auto ready = ready_.find(member);
  if (!wanted_ || wanted_->started || wanted_->partner != member || ready == ready_.end()) return;
  const SwapReady theirs = ready->second;
  ready_.erase(ready);
  if (theirs.sequence != wanted_->sequence || theirs.bytes != wanted_->bytes) {
    cluster::throw_environment("members " + std::to_string(place_.rank) + " and " +
                               std::to_string(member) + " of the gang want to swap " +
                               std::to_string(wanted_->bytes) + " and " +
                               std::to_string(theirs.bytes) + " bytes");
  }
  wanted_->started = true;
  ways_.start(member, wanted_->bytes);
}

void GangExchange::swapped() {
  MARQUEE_CHECK(wanted_ && wanted_->started, "a swap has ended that was not started");
  const std::int64_t sequence = wanted_->sequence;
  wanted_.reset();
  if (!left_) ways_.finished(sequence);
}

void GangExchange::leave() {
  if (left_) return;
  left_ = true;
  for (int member = 0; member < place_.size(); ++member) {
    if (member != place_.rank) ways_.tell(member, SwapsEnded{place_.generation});
  }
  if (wanted_ && !wanted_->started && ended_.contains(wanted_->partner)) wanted_.reset();
}

}  // namespace marquee::orchestrator
