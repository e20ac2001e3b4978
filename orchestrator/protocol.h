// Messages between the coordinator (rank 0) and the agents, and between an agent and its trainer:
// plain structs and their JSON text. Parsing validates: an unknown type, a missing or ill-typed
// field is an Error{environment} that names it, never undefined behaviour; the bytes come from
// processes that may be broken. Values are bounded where a wrong one could do harm. Thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "experiments/result_record.h"
#include "experiments/run_config.h"
#include "experiments/run_folder.h"
#include "experiments/simulation.h"
#include "orchestrator/slots.h"

namespace marquee::orchestrator {

// ---- agent -> coordinator -------------------------------------------------------------------

// First message of an agent.
struct AgentHello {
  HostFacts facts;
  std::int64_t pid = 0;
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

// A person or the system sent this agent SIGTERM or SIGINT: please stop the sweep.
struct StopRequest {
  int signal = 0;
};

using AgentMessage = std::variant<AgentHello, AgentAlive, RunProgress, AttemptEnded, StopRequest>;

// ---- coordinator -> agent -------------------------------------------------------------------

struct Welcome {
  std::uint64_t epoch = 0;
  SlotAssignment slot;
  std::string results, data, assets;                  // absolute folders; data may be empty
  std::optional<experiments::Simulation> simulation;  // no-op trainers instead of real ones
  std::string doorbell;                               // the coordinator's
};

struct Assignment {
  std::uint64_t epoch = 0;
  std::string run_id;
  int attempt = 0;
  experiments::RunConfig run;
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

using CoordinatorMessage = std::variant<Welcome, Assignment, CoordinatorAlive, Interrupt, Stop>;

std::string to_text(const AgentMessage& message);
std::string to_text(const CoordinatorMessage& message);
AgentMessage parse_agent_message(std::string_view text);
CoordinatorMessage parse_coordinator_message(std::string_view text);

// ---- trainer -> agent (frames on the control channel) -----------------------------------------

struct TrainerHello {
  std::int64_t pid = 0;
};

struct TrainerProgress {
  std::string run_id;
  int attempt = 0;
  std::string phase;
  std::int64_t step = 0;
  std::int64_t total = 0;
  double deadline_seconds = 0;  // the next message is due within this time; 0 < x <= 86400
};

struct TrainerDone {
  std::string run_id;
  int attempt = 0;
  std::optional<experiments::ResultRecord> result;
};

struct TrainerFailed {
  std::string run_id;
  int attempt = 0;
  std::string kind;  // usage, environment or defect
  std::string message;
};

struct TrainerInterrupted {
  std::string run_id;
  int attempt = 0;
  std::int64_t step = 0;
};

using TrainerMessage =
    std::variant<TrainerHello, TrainerProgress, TrainerDone, TrainerFailed, TrainerInterrupted>;

TrainerMessage parse_trainer_message(std::string_view text);

// ---- agent -> trainer -------------------------------------------------------------------------

std::string trainer_run_request(const Assignment& assignment, const Welcome& welcome);
std::string trainer_interrupt_request();
std::string trainer_stop_request();

}  // namespace marquee::orchestrator
