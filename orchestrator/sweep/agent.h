// An agent: the MPI rank that owns one slot and supervises one trainer process there. It passes
// assignments on, relays progress, notices a crash, a missed deadline or nonsense on the control
// channel, seals the attempt's record in that case, and starts a new trainer for the next run. In a
// gang it carries what its trainer swaps with others between their agents, and only rank 0 seals.
// Single-threaded loop that sleeps when idle; after MPI_Init no blocking call.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/shared_buffer.h"
#include "cluster/transport.h"
#include "orchestrator/gangs/gang_swaps.h"
#include "orchestrator/sweep/protocol.h"
#include "orchestrator/sweep/trainer_process.h"
#include "orchestrator/sweep/trainer_protocol.h"

namespace marquee::orchestrator {

class Agent {
 public:
  enum class Parent { launcher, any };

  // `transport` must outlive the agent; rank 0 is the coordinator. With Parent::launcher it does
  // not outlive the process that has started this one.
  explicit Agent(cluster::Transport& transport, Parent parent = Parent::launcher);

  // Works until the coordinator says stop; returns the exit code that it gave. Throws environment
  // when the coordinator has been silent for too long.
  int run();

 private:
  struct Work {
    Assignment assignment;
    std::string started;  // UTC
    bool interrupt_sent = false;
    double interrupt_due = 0.0;                             // monotonic seconds
    std::optional<experiments::AttemptCause> gang_ended{};  // why the others have
    double deadline_seconds = 0.0;                          // that the trainer promised last
  };
  void say_hello();
  void send(const AgentMessage& message);
  void handle(const CoordinatorMessage& message);
  void begin(const Assignment& assignment);
  // One that has so many threads and, if it `exchanges` with others, shares its memory.
  void have_trainer(int threads, bool exchanges);
  void end_trainer();
  // As far as the agent knows it, without the configuration, which the sealed one has; ended now,
  // unless it is running.
  experiments::AttemptRecord record_of(const Work& work, const std::string& status) const;
  void note_start() const;
  std::filesystem::path folder_of(const Assignment& assignment) const;
  void interrupt();
  void join_gang();
  void end_gang(const GangEnded& ended);
  void take_from_peer(int rank, const PeerMessage& message);
  void look_after_swaps();
  bool in_gang() const { return work_ && work_->assignment.gang.size() > 1; }
  void look_after_trainer();
  void handle(const TrainerMessage& message);
  bool is_current(const std::string& run_id, int attempt) const;
  // Ends the current attempt. A record that the trainer sealed with `status` wins; else one is
  // written here from the cause.
  void seal(const std::string& status, const std::string& kind, const std::string& message,
            const cluster::ExitStatus& exit = {});
  // The current attempt of a simulation that keeps no files.
  void end_without_files(const experiments::ResultRecord& result);
  void end_with(const experiments::AttemptRecord& record);
  // A member that is not rank 0 says how its part ended; an empty kind: well.
  void end_part(const experiments::AttemptCause& cause);
  // The trainer is dead or must not be trusted: what that means for the current attempt.
  void lose_trainer(const std::string& kind, const std::string& message);
  void forward_signals();

  cluster::Transport& transport_;
  Parent parent_;
  HostFacts facts_;
  std::vector<std::string> gpus_;  // of this process, as CUDA_VISIBLE_DEVICES calls them
  std::optional<Welcome> welcome_;
  std::optional<TrainerProcess> trainer_;
  std::optional<Work> work_;
  std::shared_ptr<cluster::SharedBuffer> buffer_;  // the trainer's
  GangSwaps swaps_;
  std::optional<int> exit_code_;
  double last_alive_sent_ = 0.0;
  double last_heard_ = 0.0;
  double last_busy_ = 0.0;  // last message from the coordinator or end of an attempt
  int signals_forwarded_ = 0;
};

}  // namespace marquee::orchestrator
