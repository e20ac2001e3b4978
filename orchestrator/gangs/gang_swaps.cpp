#include "orchestrator/gangs/gang_swaps.h"

#include <algorithm>
#include <span>
#include <string>
#include <variant>

#include "cluster/error.h"
#include "cluster/log.h"

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kMostEarly = 64;  // messages of a gang that is not known yet

std::uint64_t generation_of(const PeerMessage& message) {
  return std::visit([](const auto& m) { return m.generation; }, message);
}

}  // namespace

GangExchange::Ways GangSwaps::ways_of(const GangPlace& place,
                                      std::function<void(std::int64_t sequence)> finished) {
  const std::uint64_t generation = place.generation;
  const auto agent_of = [members = place.members](int member) {
    return members.at(static_cast<std::size_t>(member)).agent;
  };
  GangExchange::Ways ways;
  ways.tell = [this, agent_of](int member, const PeerMessage& message) {
    transport_.send(agent_of(member), to_text(message));
  };
  ways.start = [this, agent_of, generation](int member, std::int64_t bytes) {
    Gang& own = gangs_.at(generation);
    const std::span<std::byte> memory = own.buffer->bytes();
    const auto size = static_cast<std::size_t>(bytes);
    const auto tag = static_cast<int>(generation % cluster::Transport::kMaxSwapTag);
    own.swap = transport_.start_swap(agent_of(member), tag, memory.first(size),
                                     memory.subspan(memory.size() / 2, size));
  };
  ways.finished = std::move(finished);
  return ways;
}

void GangSwaps::join(const GangPlace& place, std::function<void(std::int64_t sequence)> finished) {
  for (const GangPlace::Member& member : place.members)
    if (!member.doorbell.empty()) transport_.set_doorbell(member.agent, member.doorbell);
  gangs_[place.generation].exchange =
      std::make_unique<GangExchange>(place, ways_of(place, std::move(finished)));
  newest_ = place.generation;
  joined_ = true;
  const auto early = early_.extract(newest_);
  if (early.empty()) return;
  for (const auto& [agent, message] : early.mapped()) take(agent, message);
}

void GangSwaps::share(std::shared_ptr<cluster::SharedBuffer> buffer) {
  gangs_.at(newest_).buffer = std::move(buffer);
}

void GangSwaps::want(const TrainerExchange& exchange) {
  const auto most = [](const Gang& gang) {
    return static_cast<std::int64_t>(gang.buffer == nullptr ? 0 : gang.buffer->bytes().size() / 2);
  };
  if (!joined_ || exchange.bytes > most(gangs_.at(newest_)))
    cluster::throw_environment("the trainer wants a swap that cannot be");
  gangs_.at(newest_).exchange->want(exchange.partner, exchange.sequence, exchange.bytes);
}

void GangSwaps::tell_id(const std::string& id) {
  if (!joined_) return;
  for (const GangPlace::Member& member : gangs_.at(newest_).exchange->place().members) {
    if (member.agent != transport_.rank())
      transport_.send(member.agent, to_text(PeerMessage(GangId{newest_, id})));
  }
}

std::optional<std::string> GangSwaps::take_id() {
  return joined_ ? std::exchange(gangs_.at(newest_).id, std::nullopt) : std::nullopt;
}

void GangSwaps::leave() {
  if (!std::exchange(joined_, false)) return;
  gangs_.at(newest_).exchange->leave();
}

void GangSwaps::take(int agent, const PeerMessage& message) {
  const std::uint64_t generation = generation_of(message);
  const auto gang = gangs_.find(generation);
  if (gang == gangs_.end()) {
    if (generation <= newest_) return;  // over, and nothing was owed
    auto& early = early_[generation];
    if (early.size() < kMostEarly) early.emplace_back(agent, message);
    return;
  }
  GangExchange& exchange = *gang->second.exchange;
  const auto& members = exchange.place().members;
  const auto sender = std::find_if(members.begin(), members.end(),
                                   [&](const auto& member) { return member.agent == agent; });
  if (sender == members.end()) {
    cluster::log_warning("agent", "rank " + std::to_string(agent) + " is no member of this gang");
    return;
  }
  if (const auto* id = std::get_if<GangId>(&message)) {
    if (sender == members.begin()) gang->second.id = id->id;
    return;
  }
  try {
    exchange.take(static_cast<int>(sender - members.begin()), message);
  } catch (const cluster::Error&) {
    if (joined_ && generation == newest_) throw;
  }
}

void GangSwaps::progress() {
  for (auto& [generation, gang] : gangs_) {
    if (!gang.swap || !transport_.swap_done(*gang.swap)) continue;
    gang.swap.reset();
    gang.exchange->swapped();
  }
  std::erase_if(gangs_, [&](const auto& gang) {
    const bool current = joined_ && gang.first == newest_;
    return !current && gang.second.exchange->settled();
  });
}

bool GangSwaps::waiting() const {
  return joined_ && gangs_.at(newest_).exchange->waiting();
}

}  // namespace marquee::orchestrator
