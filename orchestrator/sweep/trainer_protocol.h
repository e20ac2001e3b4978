// What an agent and its trainer say to each other in frames on the control channel
// (cluster/frame_channel.h): what the trainer reports as structs, read with the same care as
// protocol.h says, and what it is asked as JSON text. Thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "experiments/result_record.h"
#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

// ---- trainer -> agent -------------------------------------------------------------------------

// Its first: it has started.
struct TrainerHello {};

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
  std::string kind;  // usage, environment, defect or out_of_memory
  std::string message;
};

struct TrainerInterrupted {
  std::string run_id;
  int attempt = 0;
  std::int64_t step = 0;
};

// It waits until the first `bytes` of the shared memory's halves are swapped with a member's.
struct TrainerExchange {
  std::string run_id;
  int attempt = 0;
  int partner = 0;  // rank in the gang
  std::int64_t sequence = 0;
  std::int64_t bytes = 0;
};

// The id of its gang, for the other members.
struct TrainerGangId {
  std::string run_id;
  int attempt = 0;
  std::string id;
};

using TrainerMessage = std::variant<TrainerHello, TrainerProgress, TrainerDone, TrainerFailed,
                                    TrainerInterrupted, TrainerExchange, TrainerGangId>;

TrainerMessage parse_trainer_message(std::string_view text);

// ---- agent -> trainer -------------------------------------------------------------------------

std::string trainer_run_request(const Assignment& assignment, const Welcome& welcome);
std::string trainer_interrupt_request();
std::string trainer_exchanged(std::int64_t sequence);
std::string trainer_gang_id(const std::string& id);
std::string trainer_gang_ended(const std::string& message);
std::string trainer_stop_request();

}  // namespace marquee::orchestrator
