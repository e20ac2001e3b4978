// Messages between ranks: the coordinator (rank 0) and the agents, and the agents of a gang. Plain
// structs and their JSON text. Parsing validates: an unknown type, a missing or ill-typed field is
// an Error{environment} that names it, never undefined behaviour; the bytes come from processes
// that may be broken. Values are bounded where a wrong one could do harm. Thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "experiments/run_config.h"
#include "experiments/run_folder.h"
#include "experiments/simulation.h"
#include "orchestrator/scheduling/slots.h"

namespace marquee::orchestrator {

// ---- agent -> coordinator -------------------------------------------------------------------

// First message of an agent.
struct AgentHello {
  HostFacts facts;
  std::string doorbell;  // messages to this agent ring there (cluster/doorbell.h)
};

// Sent every few seconds, whatever the agent does: its event loop lives.
struct AgentAlive {};

// Progress of the current attempt, as the trainer reported it.
struct RunProgress {
  std::uint64_t epoch = 0;
  std::string run_id;
  int attempt = 0;
  std::string phase;  // load, cache, tune, sample, score, save
  std::int64_t step = 0;
  std::int64_t total = 0;       // 0: unknown
  double deadline_seconds = 0;  // the next one is due within this time; 0 < x <= 86400
};

// An attempt ended: its record as sealed in attempt.json.
struct AttemptEnded {
  std::uint64_t epoch = 0;
  experiments::AttemptRecord record;
};

// The part of a gang's member that is not rank 0 has ended.
struct MemberEnded {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  experiments::AttemptCause cause;  // empty kind: its part is done
};

// A person or the system sent this agent SIGTERM or SIGINT: please stop the sweep.
struct StopRequest {
  int signal = 0;
};

using AgentMessage =
    std::variant<AgentHello, AgentAlive, RunProgress, AttemptEnded, MemberEnded, StopRequest>;

// ---- coordinator -> agent -------------------------------------------------------------------

struct Welcome {
  std::uint64_t epoch = 0;
  SlotAssignment slot;
  std::string results, data, assets;                  // absolute folders; data may be empty
  std::optional<experiments::Simulation> simulation;  // no-op trainers instead of real ones
  std::string doorbell;                               // the coordinator's
  std::string stage{};  // where trainers copy what they read (cluster/stage_place.h); may be empty
};

// Where an agent's trainer stands among those that work on a run together.
struct GangPlace {
  struct Member {
    int agent = 0;         // MPI rank
    std::string doorbell;  // of its host; empty on others
    bool operator==(const Member&) const = default;
  };
  std::uint64_t generation = 0;   // no other gang of this world has had it
  int rank = 0;                   // rank 0 has the attempt's folder
  std::vector<Member> members{};  // by rank; empty: a single trainer

  int size() const { return members.empty() ? 1 : static_cast<int>(members.size()); }
  bool operator==(const GangPlace&) const = default;
};

struct Assignment {
  std::uint64_t epoch = 0;
  std::string run_id;
  int attempt = 0;
  experiments::RunConfig run;
  GangPlace gang{};
  std::uint64_t claim = 0;  // epoch of the run's claim (experiments/claim.h); 0: a coordinator's
  int rerun_of = 0;         // under a claim: the finished attempt that it is wanted after
};

// A member of a gang has ended without having done its part: the others end too.
struct GangEnded {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  std::string kind, message;  // as the member's cause
};

struct CoordinatorAlive {};

// End the current attempt at a checkpoint and answer with AttemptEnded (interrupted).
struct Interrupt {
  std::uint64_t epoch = 0;
};

// Let the trainer go and leave MPI with this exit code.
struct Stop {
  int exit_code = 0;
};

using CoordinatorMessage =
    std::variant<Welcome, Assignment, CoordinatorAlive, Interrupt, GangEnded, Stop>;

// ---- agent -> agent of the same gang ----------------------------------------------------------

// My trainer waits for this swap with yours. Once both have said so, both start it.
struct SwapReady {
  std::uint64_t generation = 0;
  std::int64_t sequence = 0;
  std::int64_t bytes = 0;
  bool operator==(const SwapReady&) const = default;
};

// I shall start no swap of this gang any more, but those that you have called ready too.
struct SwapsEnded {
  std::uint64_t generation = 0;
  bool operator==(const SwapsEnded&) const = default;
};

// What the trainers of a gang on GPUs join it with; rank 0's has made it.
struct GangId {
  std::uint64_t generation = 0;
  std::string id;
  bool operator==(const GangId&) const = default;
};

using PeerMessage = std::variant<SwapReady, SwapsEnded, GangId>;

std::string to_text(const AgentMessage& message);
std::string to_text(const CoordinatorMessage& message);
std::string to_text(const PeerMessage& message);
AgentMessage parse_agent_message(std::string_view text);
CoordinatorMessage parse_coordinator_message(std::string_view text);
PeerMessage parse_peer_message(std::string_view text);

}  // namespace marquee::orchestrator
