#include "orchestrator/sweep/coordinator.h"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <utility>

#include <unistd.h>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "cluster/text.h"
#include "orchestrator/sweep/timing.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";

}  // namespace

Coordinator::Coordinator(cluster::Transport& transport, SweepOptions options,
                         const cluster::Clock& clock)
    : transport_(transport),
      clock_(clock),
      options_(std::move(options)),
      progress_line_(options_.quiet),
      began_(clock.seconds()) {}

int Coordinator::run() {
  int code = 4;
  try {
    code = run_sweep();
  } catch (const std::exception& error) {
    progress_line_.end();
    std::cerr << "marquee: error: " << cluster::printable(error.what(), true) << std::endl;
    code = cluster::exit_code_of(error);
  }
  // The lease goes last: whoever gets it next finds the ledger closed.
  ledger_.reset();
  try {
    if (lease_) lease_->release();
  } catch (const std::exception& error) {
    cluster::log_warning(kArea, error.what());
  }
  stop_agents(code);
  return code;
}

int Coordinator::run_sweep() {
  PreparedSweep prepared = prepare_sweep(options_);
  options_.simulate ? find_simulated_trainer() : find_trainer();
  limit_ = time_limit(options_.time_limit);
  gather_agents(prepared);
  costs_.emplace(make_costs(prepared));
  open_ledger(std::move(prepared));
  work();
  return finish();
}

void Coordinator::work() {
  started_ = clock_.seconds();
  last_renewed_ = started_;
  const pid_t parent = getppid();
  while (true) {
    transport_.progress();
    receive();
    const double now = clock_.seconds();
    if (cluster::stop_signal() != 0 && stopping_ == 0) {
      stopping_ = cluster::stop_signal();
      begin_stop();
    }
    tell_news();
    enter_news();
    commit_news();
    look_at_time();
    look_into_inbox(now, !stopped() && scheduler_->complete());
    keep_alive(now);
    publish_when_due(now);
    show_progress(now);
    const bool over = stopped() || scheduler_->complete() || scheduler_->out_of_time();
    if (over && !anything_running()) return;
    if (cluster::stop_signal_count() > 1)
      return;  // asked again: leave what runs to the next command
    if (getppid() != parent) cluster::throw_environment("mpirun has gone");
    nap(now);
  }
}

void Coordinator::nap(double now) {
  const bool committing = ledger_ && ledger_->committing();
  transport_.wait(transport_.woken_by_messages() ? kIdleNapSeconds : nap_seconds(now - last_busy_),
                  committing ? ledger_->commit_fd() : -1);
}

void Coordinator::receive() {
  while (auto received = transport_.try_receive()) {
    handle(received->first, parse_agent_message(received->second));
  }
}

void Coordinator::handle(int rank, const AgentMessage& message) {
  const double now = clock_.seconds();
  if (const auto* hello = std::get_if<AgentHello>(&message)) {
    agents_[rank] = AgentState{hello->facts, {}, hello->doorbell, now, std::nullopt};
    transport_.set_doorbell(rank, hello->doorbell);
    return;
  }
  const auto found = agents_.find(rank);
  if (found == agents_.end()) return;  // nothing counts before hello
  AgentState& agent = found->second;
  agent.last_heard = last_busy_ = now;
  if (const auto* progress = std::get_if<RunProgress>(&message)) {
    take_progress(agent, *progress);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&message)) {
    end_attempt(rank, *ended);
  } else if (const auto* part = std::get_if<MemberEnded>(&message)) {
    end_part(rank, *part);
  } else if (const auto* request = std::get_if<StopRequest>(&message)) {
    if (stopping_ == 0) {
      stopping_ = request->signal == SIGINT ? SIGINT : SIGTERM;
      if (ledger_) begin_stop();
    }
  }
}

void Coordinator::take_progress(AgentState& agent, const RunProgress& progress) {
  if (!lease_ || progress.epoch != lease_->epoch() || !agent.running ||
      agent.running->run_id != progress.run_id || agent.running->attempt != progress.attempt) {
    return;
  }
  Running& running = *agent.running;
  // What it has loaded and encoded is there; once it has taken a step, its host is sound.
  const bool early = progress.phase == "load" || progress.phase == "cache";
  if (!early && running.phase != progress.phase) scheduler_->has_tokens(running.run_id);
  if (!early && progress.step > 0 && !std::exchange(running.works, true))
    health_.works(agent.facts.host);
  running.share = share_of(progress);
  running.phase = progress.phase;
  running.step = progress.step;
  running.total = progress.total;
  running.progressed = cluster::utc_now();
  running.deadline = cluster::utc_after(progress.deadline_seconds);
  changed_ = true;
}

void Coordinator::begin_stop() {
  progress_line_.end();
  if (!options_.quiet) {
    std::cerr << "marquee: stopping: trainers write a checkpoint, then the ledger is closed"
              << std::endl;
  }
  interrupt_all();
}

void Coordinator::interrupt_all() {
  for (const auto& [rank, agent] : agents_) {
    if (agent.running) tell(rank, Interrupt{lease_->epoch()});
  }
}

void Coordinator::keep_alive(double now) {
  if (now - last_renewed_ > kLeaseRenewSeconds) {
    last_renewed_ = now;
    lease_->renew();
  }
  if (now - last_alive_ > kAliveIntervalSeconds) {
    last_alive_ = now;
    for (const auto& [rank, agent] : agents_) tell(rank, CoordinatorAlive{});
  }
  for (const auto& [rank, agent] : agents_) {
    if (now - agent.last_heard < kAgentSilenceSeconds) continue;
    lost_agent_ = true;
    cluster::throw_environment("agent " + std::to_string(rank) + " on " + agent.facts.host +
                               " has been silent for " +
                               std::to_string(static_cast<int>(kAgentSilenceSeconds)) +
                               " s; finished runs are kept, the same command goes on from there");
  }
}

void Coordinator::publish_when_due(double now) {
  if (now < next_publish_ || (!changed_ && now - published_ < kSignOfLifeSeconds)) return;
  settle();
  enter_live(now, false);
  cluster::failpoint("coordinator.before_publish");
  ledger_->publish();
  cluster::failpoint("coordinator.published");
  const double after = clock_.seconds();
  published_ = after;
  next_publish_ = after + std::max(kPublishSeconds, 50.0 * (after - now));
  changed_ = false;
}

Forecast Coordinator::forecast_at(double now) const {
  double shares = 0.0;
  for (const auto& [rank, agent] : agents_) shares += agent.running ? agent.running->share : 0.0;
  return forecast(scheduler_->counts(), shares, fresh_done_, now - started_);
}

void Coordinator::show_progress(double now) {
  progress_line_.show(progress_text(scheduler_->counts(), agents_.size(), forecast_at(now)), now);
}

void Coordinator::tell(int rank, const CoordinatorMessage& message) {
  transport_.send(rank, to_text(message));
}

void Coordinator::stop_agents(int exit_code) {
  for (int rank = 1; rank < transport_.size(); ++rank) tell(rank, Stop{exit_code});
}

bool Coordinator::anything_running() const {
  return std::any_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent.second.running.has_value(); });
}

}  // namespace marquee::orchestrator
