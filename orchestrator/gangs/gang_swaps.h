// What an agent carries between its trainer and the trainers of other agents: the swaps of the gang
// that it belongs to, and of earlier ones for as long as it owes a swap. Their memory is kept until
// then. Not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/shared_buffer.h"
#include "cluster/transport.h"
#include "orchestrator/gangs/gang_exchange.h"
#include "orchestrator/sweep/protocol.h"
#include "orchestrator/sweep/trainer_protocol.h"

namespace marquee::orchestrator {

class GangSwaps {
 public:
  // `transport` must outlive it.
  explicit GangSwaps(cluster::Transport& transport) : transport_(transport) {}

  // The agent belongs to this gang from now on. `finished`: its trainer may go on.
  void join(const GangPlace& place, std::function<void(std::int64_t sequence)> finished);
  // The memory that the trainer shares: one half goes out, the other comes in.
  void share(std::shared_ptr<cluster::SharedBuffer> buffer);
  // The trainer of the gang joined last wants a swap. Throws environment as GangExchange does.
  void want(const TrainerExchange& exchange);
  // Passes the id that its trainer has made for the gang joined last on to the other members.
  void tell_id(const std::string& id);
  // What rank 0's trainer has made for the gang joined last, once.
  std::optional<std::string> take_id();
  // The gang joined last has ended for this agent; nothing more is started but what is owed.
  void leave();
  // Throws environment when a member of the gang joined last wants what cannot be.
  void take(int agent, const PeerMessage& message);
  // Moves swaps along. Throws what `finished` throws.
  void progress();

  // The trainer waits for a member of the gang.
  bool waiting() const;

 private:
  struct Gang {
    std::unique_ptr<GangExchange> exchange{};
    std::shared_ptr<cluster::SharedBuffer> buffer{};
    std::optional<std::uint64_t> swap{};  // that goes on
    std::optional<std::string> id{};      // for the trainer
  };
  GangExchange::Ways ways_of(const GangPlace& place,
                             std::function<void(std::int64_t sequence)> finished);

  cluster::Transport& transport_;
  std::map<std::uint64_t, Gang> gangs_;  // by generation
  std::uint64_t newest_ = 0;             // of the gang joined last
  bool joined_ = false;                  // and not left
  // Of gangs that the agent has not been told of yet: sender and message.
  std::map<std::uint64_t, std::vector<std::pair<int, PeerMessage>>> early_;
};

}  // namespace marquee::orchestrator
