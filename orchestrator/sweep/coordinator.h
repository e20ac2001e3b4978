// The coordinator: MPI rank 0. Checks everything before anything is computed, takes the results
// folder's lease, takes in what earlier commands left, hands runs to agents, and is the only writer
// of the ledger. Single-threaded loop that sleeps when idle; after MPI_Init no blocking call.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/clock.h"
#include "cluster/lease.h"
#include "cluster/transport.h"
#include "experiments/inbox.h"
#include "experiments/ledger.h"
#include "experiments/sweep_file.h"
#include "orchestrator/gangs/gangs.h"
#include "orchestrator/scheduling/cost_model.h"
#include "orchestrator/scheduling/host_health.h"
#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/prepared_sweep.h"
#include "orchestrator/sweep/progress_line.h"
#include "orchestrator/sweep/protocol.h"
#include "orchestrator/sweep/time_limit.h"

namespace marquee::orchestrator {

class Coordinator {
 public:
  // `transport` and `clock` must outlive it.
  Coordinator(cluster::Transport& transport, SweepOptions options,
              const cluster::Clock& clock = cluster::real_clock());

  // The whole sweep. Errors are printed here, once. Returns the exit code, which every agent has
  // been told by then; the caller finalises MPI.
  int run();
  // An agent has fallen silent: the world's end, which is collective, would wait for it for ever.
  bool lost_agent() const { return lost_agent_; }

 private:
  struct Running {
    std::string run_id;
    int attempt = 0;
    double share = 0.0;  // of the attempt, 0..1
    std::string phase;
    std::int64_t step = 0, total = 0;
    std::string since, progressed, deadline;  // UTC
    std::uint64_t gang = 0;                   // its generation; 0: a single trainer
    bool works = false;                       // has taken a step
  };
  struct AgentState {
    HostFacts facts;
    SlotAssignment slot;
    std::string doorbell;
    double last_heard = 0.0;
    std::optional<Running> running;
  };

  int run_sweep();
  void gather_agents(const PreparedSweep& prepared);
  // Takes what slots are from the script, where a simulation has one.
  void script_slots(const experiments::Simulation& simulation);
  SlotPool slot_pool() const;
  // What earlier runs and, where it is wanted, a probe tell about the sweep's.
  CostModel make_costs(const PreparedSweep& prepared) const;
  void open_ledger(PreparedSweep prepared);
  // The runs of the sweep as they are expected to be.
  std::vector<PlannedRun> planned_runs();
  // Runs of the sweep that the ledger does not hold yet, in starting order, at most so many; part
  // of the batch that is open.
  void enter_runs(std::size_t most);
  void enter_run(std::size_t place);
  void work();
  void receive();
  void handle(int rank, const AgentMessage& message);
  void take_progress(AgentState& agent, const RunProgress& progress);
  // Ends and starts of attempts, in three steps: entered in a batch; committed, together with what
  // came while the batch before was being committed; told to agents once the commit is durable.
  void enter_news();
  void commit_news();
  void tell_news();
  // Nothing is entered and not durable afterwards: for whatever else is done with the ledger.
  void settle();
  bool is_current(int rank, const AttemptEnded& ended) const;
  static void refuse(int rank, const std::string& what);
  // An agent says that its attempt, or its part of a gang's, has ended.
  void end_attempt(int rank, const AttemptEnded& ended);
  void end_part(int rank, const MemberEnded& part);
  void end_members(std::uint64_t generation, const Gangs::Change& change,
                   const experiments::AttemptCause& cause);
  void take_end(int rank, const AttemptEnded& ended);
  // Without a result; true when the run will be tried again.
  bool take_failure(int rank, const Running& running, const experiments::AttemptRecord& record,
                    FailureKind kind);
  // Whether all its trainers were on one host, which may be to blame.
  bool on_one_host(const Running& running, const std::string& host) const;
  // A run has failed for what may be its host's fault; whether it waits again because of that.
  bool judge_host(const std::string& host, const HostHealth::Failure& failure);
  void learn(const experiments::AttemptRecord& record);
  void expect(const std::vector<CostModel::Change>& changes);
  Scheduler::Clock scheduler_clock() const;
  // Until the time limit stops everything; infinite without one.
  double seconds_left() const;
  void look_at_time();
  bool stopped() const { return stopping_ != 0 || gave_up_ || time_is_up_; }
  void assign();
  // Frees what runs that have just finished no longer need.
  void collect(const std::vector<std::string>& finished);
  void begin_stop();
  void interrupt_all();
  // Takes in what others have left in the inbox and acts on it; now and then, or at once.
  void look_into_inbox(double now, bool at_once);
  void act_on(const experiments::TakenIn& taken);
  // A rerun is wanted: of a run of this sweep, or of another that these trainers can compute.
  void plan_again(const std::string& run_id);
  void give_up_when_too_many_failed();
  void enter_live(double now, bool ended);
  void keep_alive(double now);
  void nap(double now);
  void publish_when_due(double now);
  Forecast forecast_at(double now) const;
  void show_progress(double now);
  int finish();
  void print_summary(const ScheduleCounts& counts, bool out_of_time) const;
  int finish_out_of_time(const ScheduleCounts& counts) const;
  void tell(int rank, const CoordinatorMessage& message);
  void stop_agents(int exit_code);
  bool anything_running() const;

  cluster::Transport& transport_;
  const cluster::Clock& clock_;
  SweepOptions options_;
  experiments::SweepFile sweep_;
  RunList list_;  // where it is one in place of a sweep file
  std::map<int, AgentState> agents_;
  Gangs gangs_;
  std::optional<cluster::Lease> lease_;
  std::optional<experiments::Ledger> ledger_;
  std::optional<CostModel> costs_;
  std::optional<Scheduler> scheduler_;
  HostHealth health_;
  ProgressLine progress_line_;
  int stopping_ = 0;  // the signal of a graceful stop, 0 while there is none
  bool lost_agent_ = false;
  bool gave_up_ = false;                             // too many runs have failed
  std::vector<std::pair<int, AttemptEnded>> ended_;  // by rank, not entered yet
  struct News {
    std::vector<std::pair<int, Assignment>> assignments;
    std::vector<std::string> finished;  // run ids
  };
  News entered_news_, committed_news_;  // in the open batch; in the one that is being committed
  std::size_t fresh_done_ = 0;
  std::optional<TimeLimit> limit_;
  double began_ = 0.0;       // when the limit began to count
  bool time_is_up_ = false;  // what ran has been interrupted
  bool said_time_is_up_ = false;
  std::size_t fresh_started_ = 0;
  // The scheduler's first `to_enter_` runs belong to the sweep, and `entered_` of them are in the
  // ledger; what it has behind them came from the ledger.
  std::size_t to_enter_ = 0, entered_ = 0;
  bool changed_ = true;  // there is news since the last publication
  double started_ = 0.0, last_alive_ = 0.0, last_renewed_ = 0.0;
  double next_publish_ = 0.0, published_ = 0.0;
  double inbox_seen_ = 0.0;
  double last_busy_ = 0.0;  // last message or entry
};

}  // namespace marquee::orchestrator
