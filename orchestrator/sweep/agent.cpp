#include "orchestrator/sweep/agent.h"

#include <unistd.h>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/gpu_list.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "agent";

}  // namespace

Agent::Agent(cluster::Transport& transport, Parent parent)
    : transport_(transport),
      parent_(parent),
      facts_(facts_of_this_host()),
      gpus_(cluster::visible_gpus()),
      swaps_(transport) {}

int Agent::run() {
  say_hello();
  const pid_t parent = getppid();
  last_heard_ = cluster::monotonic_seconds();
  while (!exit_code_) {
    transport_.progress();
    while (auto received = transport_.try_receive()) {
      last_busy_ = cluster::monotonic_seconds();
      if (received->first == 0) {
        last_heard_ = last_busy_;
        handle(parse_coordinator_message(received->second));
      } else {
        take_from_peer(received->first, parse_peer_message(received->second));
      }
    }
    look_after_swaps();
    look_after_trainer();
    forward_signals();
    const double now = cluster::monotonic_seconds();
    if (now - last_alive_sent_ > kAliveIntervalSeconds) {
      last_alive_sent_ = now;
      send(AgentAlive{});
    }
    if (parent_ == Parent::launcher && getppid() != parent)
      cluster::throw_environment("mpirun has gone");
    if (welcome_ && now - last_heard_ > kCoordinatorSilenceSeconds) {
      cluster::throw_environment("nothing heard from the coordinator for " +
                                 std::to_string(static_cast<int>(kCoordinatorSilenceSeconds)) +
                                 " s");
    }
    // An assignment follows soon after a result. A channel at its end is always readable.
    const bool looking = !work_ && welcome_ && !transport_.woken_by_messages();
    const bool open = trainer_ && !trainer_->channel_closed();
    // Partners on other hosts ring no doorbell.
    transport_.wait(swaps_.waiting() ? kBusyNapSeconds
                    : looking        ? nap_seconds(now - last_busy_)
                                     : kIdleNapSeconds,
                    open ? trainer_->fd() : -1);
  }
  end_trainer();
  return *exit_code_;
}

void Agent::say_hello() {
  send(AgentHello{facts_, transport_.doorbell()});
}

void Agent::send(const AgentMessage& message) {
  transport_.send(0, to_text(message));
}

void Agent::handle(const CoordinatorMessage& message) {
  if (const auto* welcome = std::get_if<Welcome>(&message)) {
    welcome_ = *welcome;
    if (welcome_->simulation && !welcome_->simulation->slots.empty())
      facts_.host = welcome_->simulation->slots.front().host;
    transport_.set_doorbell(0, welcome->doorbell);
    cluster::failpoint("agent.welcomed");
  } else if (const auto* assignment = std::get_if<Assignment>(&message)) {
    if (!welcome_ || assignment->epoch != welcome_->epoch) {
      cluster::log_warning(kArea, "assignment of another epoch refused");
      return;
    }
    MARQUEE_CHECK(!work_, "assignment while another attempt runs");
    begin(*assignment);
  } else if (std::holds_alternative<Interrupt>(message)) {
    interrupt();
  } else if (const auto* gang_ended = std::get_if<GangEnded>(&message)) {
    end_gang(*gang_ended);
  } else if (const auto* stop = std::get_if<Stop>(&message)) {
    exit_code_ = stop->exit_code;
  }
}

void Agent::join_gang() {
  swaps_.join(work_->assignment.gang, [this](std::int64_t sequence) {
    if (!trainer_ || !work_) return;
    trainer_->send(trainer_exchanged(sequence));
    trainer_->expect_within(work_->deadline_seconds, cluster::monotonic_seconds());
  });
}

void Agent::end_gang(const GangEnded& ended) {
  if (!in_gang() || ended.generation != work_->assignment.gang.generation ||
      work_->gang_ended.has_value())
    return;
  work_->gang_ended.emplace();
  work_->gang_ended->kind = ended.kind;
  work_->gang_ended->message = ended.message;
  swaps_.leave();
  try {
    trainer_->send(trainer_gang_ended(ended.message));
    trainer_->expect_within(kInterruptSeconds, cluster::monotonic_seconds());
  } catch (const cluster::Error& error) {
    lose_trainer("crash", error.what());
  }
}

void Agent::take_from_peer(int rank, const PeerMessage& message) {
  try {
    swaps_.take(rank, message);
  } catch (const cluster::Error& error) {
    lose_trainer("protocol", error.what());
  }
}

void Agent::look_after_swaps() {
  try {
    swaps_.progress();
    const bool told = work_ && trainer_ && !work_->gang_ended;
    if (const auto id = told ? swaps_.take_id() : std::nullopt)
      trainer_->send(trainer_gang_id(*id));
  } catch (const cluster::Error& error) {
    lose_trainer("crash", error.what());
  }
}

void Agent::interrupt() {
  if (!work_ || work_->interrupt_sent) return;
  work_->interrupt_sent = true;
  work_->interrupt_due = cluster::monotonic_seconds() + kInterruptSeconds;
  try {
    trainer_->send(trainer_interrupt_request());
  } catch (const cluster::Error& error) {
    lose_trainer("crash", error.what());
  }
}

void Agent::look_after_trainer() {
  if (!trainer_) return;
  try {
    // Order matters: a trainer that is gone may have left its last words in the channel.
    const bool gone = trainer_->try_wait().has_value();
    while (trainer_) {
      const std::optional<TrainerMessage> message = trainer_->try_receive();
      if (!message) break;
      handle(*message);
    }
    if (!trainer_) return;
    if (gone || trainer_->channel_closed()) {
      lose_trainer("crash", gone ? "the trainer ended" : "the trainer closed its control channel");
      return;
    }
  } catch (const cluster::Error& error) {
    lose_trainer("protocol", std::string("the trainer's control channel: ") + error.what());
    return;
  }
  const double now = cluster::monotonic_seconds();
  if (work_ && work_->interrupt_sent && now > work_->interrupt_due) {
    lose_trainer("interrupted", "no checkpoint in time after the request to stop");
  } else if (work_ && trainer_->overdue(now) && !swaps_.waiting()) {
    lose_trainer("deadline", "the trainer's next message is overdue; it was killed");
  }
}

void Agent::end_trainer() {
  if (trainer_) trainer_->end(kTrainerStopSeconds);
  trainer_.reset();
}

bool Agent::is_current(const std::string& run_id, int attempt) const {
  return work_ && work_->assignment.run_id == run_id && work_->assignment.attempt == attempt;
}

void Agent::handle(const TrainerMessage& message) {
  const double now = cluster::monotonic_seconds();
  const auto stale = [&](const auto& m) {
    if (is_current(m.run_id, m.attempt)) return false;
    cluster::log_warning(kArea, "message about another attempt refused: " + m.run_id + ", " +
                                    std::to_string(m.attempt));
    return true;
  };
  if (std::holds_alternative<TrainerHello>(message)) {
    trainer_->expect_within(kTrainerStartSeconds, now);
  } else if (const auto* progress = std::get_if<TrainerProgress>(&message)) {
    if (stale(*progress)) return;
    trainer_->expect_within(progress->deadline_seconds, now);
    work_->deadline_seconds = progress->deadline_seconds;
    if (work_->assignment.gang.rank > 0) return;
    send(RunProgress{welcome_->epoch, progress->run_id, progress->attempt, progress->phase,
                     progress->step, progress->total, progress->deadline_seconds});
    cluster::failpoint("agent.progress");
  } else if (const auto* done = std::get_if<TrainerDone>(&message)) {
    if (stale(*done)) return;
    const bool simulated = welcome_->simulation.has_value();
    if (work_->assignment.gang.rank > 0) {
      end_part({});
    } else if (simulated && !welcome_->simulation->files && done->result) {
      end_without_files(*done->result);
    } else {
      seal("done", "protocol", "the trainer said done but sealed no result");
    }
    if (simulated && welcome_->simulation->process_per_run) end_trainer();
  } else if (const auto* failed = std::get_if<TrainerFailed>(&message)) {
    if (!stale(*failed)) seal("failed", failed->kind, failed->message);
  } else if (const auto* interrupted = std::get_if<TrainerInterrupted>(&message)) {
    if (stale(*interrupted)) return;
    seal("interrupted", "interrupted",
         "stopped on request at step " + std::to_string(interrupted->step));
  } else if (const auto* exchange = std::get_if<TrainerExchange>(&message)) {
    if (stale(*exchange)) return;
    // The gang may have ended already: the trainer has been told.
    if (!work_->gang_ended) swaps_.want(*exchange);
  } else if (const auto* id = std::get_if<TrainerGangId>(&message)) {
    if (stale(*id)) return;
    if (work_->assignment.gang.rank != 0)
      cluster::throw_environment("a trainer that is not rank 0 has made an id of its gang");
    swaps_.tell_id(id->id);
  }
}

void Agent::forward_signals() {
  if (cluster::stop_signal_count() <= signals_forwarded_) return;
  signals_forwarded_ = cluster::stop_signal_count();
  send(StopRequest{cluster::stop_signal()});
}

}  // namespace marquee::orchestrator
