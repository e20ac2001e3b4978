// A worker of a shared sweep: computes one run after another without MPI, beside any number of
// other workers (orchestrator/sweep/shared_sweep.h). It stands in for the coordinator of one agent,
// which supervises the trainer as in any sweep; claims take the place of the lease, and sealed
// attempts are handed in through the inbox. Not thread safe.
#pragma once

#include <optional>
#include <string>

#include "cluster/lease.h"
#include "orchestrator/sweep/local_transport.h"
#include "orchestrator/sweep/prepared_sweep.h"
#include "orchestrator/sweep/progress_line.h"
#include "orchestrator/sweep/protocol.h"
#include "orchestrator/sweep/shared_sweep.h"
#include "orchestrator/sweep/time_limit.h"

namespace marquee::orchestrator {

class Worker : private LocalCoordinator {
 public:
  // `since`: see SharedSweep.
  Worker(const SweepOptions& options, PreparedSweep prepared, const std::string& since);

  // Until every run is over; with options.leave_rest until what is left is being computed by others
  // who live. The exit code: 0 when every run is done (or left so), 1 when runs are set aside or
  // cancelled, 124 out of time, 128 + signal. Throws Error{busy} while a coordinator holds the
  // folder.
  int run();

 private:
  struct Work {
    SharedSweep::Taken taken;
    bool interrupted = false;
  };
  enum class End { none, settled, stopped, out_of_time };

  void take(const std::string& message) override;
  void look_around() override;
  void welcome(const AgentHello& hello);
  void begin_next(double now);
  void end_attempt(const experiments::AttemptRecord& record);
  void renew(double now);
  void show_progress(double now);
  void interrupt();
  void stop_agent(int code);
  double seconds_left() const;
  int finish() const;

  SweepOptions options_;
  PreparedSweep prepared_;
  cluster::LeaseOptions lease_options_;
  std::optional<SharedSweep> sweep_;
  LocalTransport transport_;
  ProgressLine progress_line_;
  double began_;
  std::optional<TimeLimit> limit_;
  std::uint64_t epoch_ = 0;  // of the folder's lease when the agent was welcomed
  std::optional<Work> work_;
  std::string phase_;
  End end_ = End::none;
  int signal_ = 0;
  std::size_t finished_here_ = 0, failed_here_ = 0, started_here_ = 0;
  double next_look_ = 0.0, renewed_ = 0.0, last_alive_ = 0.0;
};

}  // namespace marquee::orchestrator
