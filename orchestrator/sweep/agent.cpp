#include "orchestrator/sweep/agent.h"

#include <algorithm>

#include <unistd.h>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/gpu_list.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "experiments/claim.h"
#include "experiments/run_folder.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "agent";
constexpr std::size_t kGangBytes = std::size_t{32} << 20;  // half goes out, half comes in

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
  if (trainer_) trainer_->end(kTrainerStopSeconds);
  trainer_.reset();
  return *exit_code_;
}

void Agent::say_hello() {
  send(AgentHello{facts_, getpid(), transport_.doorbell()});
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

void Agent::begin(const Assignment& assignment) {
  work_ = Work{assignment, cluster::utc_now()};
  cluster::failpoint("agent.assigned");
  const bool gang = in_gang();
  const int threads = assignment.run.threads;
  try {
    // First of all: whatever fails from here on, the other members hear of it.
    if (gang) join_gang();
    if (assignment.gang.rank == 0) note_start();
    const bool exchanges = gang && !welcome_->simulation;
    if (trainer_ && (trainer_->threads() != threads || trainer_->try_wait() ||
                     (exchanges && buffer_ == nullptr))) {
      trainer_->end(kTrainerStopSeconds);
      trainer_.reset();
    }
    if (!trainer_) {
      TrainerCommand command;
      buffer_.reset();
      if (exchanges) {
        buffer_ =
            std::make_shared<cluster::SharedBuffer>(cluster::SharedBuffer::create(kGangBytes));
        command.gang_fd = buffer_->fd();
        command.gang_bytes = kGangBytes;
      }
      command.program = welcome_->simulation ? find_simulated_trainer() : find_trainer();
      command.threads = threads;
      if (!welcome_->slot.cpus.empty())
        command.cpus = cpus_of_slot(facts_.cpus, welcome_->slot.slot, threads);
      if (const int gpu = welcome_->slot.gpu; gpu >= 0) command.gpu = gpus_.at(gpu);
      command.log_file =
          std::filesystem::path(welcome_->results) / "logs" /
          ("trainer-" + facts_.host + "-" + std::to_string(welcome_->slot.slot) + ".log");
      trainer_.emplace(command);
    }
    if (gang) swaps_.share(buffer_);
    trainer_->send(trainer_run_request(assignment, *welcome_));
    trainer_->expect_within(kTrainerStartSeconds, cluster::monotonic_seconds());
    cluster::failpoint("agent.trainer_told");
  } catch (const cluster::Error& error) {
    if (trainer_) {
      lose_trainer("crash", error.what());
    } else {
      seal("failed", std::string(error.name()), error.what());
    }
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

void Agent::note_start() const {
  if (welcome_->simulation && !welcome_->simulation->files) return;
  experiments::AttemptRecord record;
  record.run_id = work_->assignment.run_id;
  record.attempt = work_->assignment.attempt;
  record.epoch = work_->assignment.epoch;
  record.claim = work_->assignment.claim;
  record.rerun_of = work_->assignment.rerun_of;
  record.status = "running";
  record.started = work_->started;
  record.host = facts_.host;
  record.run = experiments::to_json(work_->assignment.run);
  experiments::note_start(folder_of(work_->assignment), record);
}

std::filesystem::path Agent::folder_of(const Assignment& assignment) const {
  return experiments::attempt_dir(welcome_->results, experiments::RunId(assignment.run_id),
                                  assignment.attempt);
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
    if (simulated && welcome_->simulation->process_per_run) {
      trainer_->end(kTrainerStopSeconds);
      trainer_.reset();
    }
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

void Agent::lose_trainer(const std::string& kind, const std::string& message) {
  const cluster::ExitStatus exit = trainer_->kill();
  trainer_.reset();
  if (!work_) {
    cluster::log_warning(kArea, "idle trainer lost: " + message + " (" + exit.describe() + ")");
    return;
  }
  const bool ended_by_itself = kind == "crash";
  // A crash that a request to stop caused is an interruption all the same: mpirun forwards signals
  // to the rank's whole process group.
  const bool interrupted = kind == "interrupted" || work_->interrupt_sent ||
                           (ended_by_itself && cluster::stop_signal() != 0);
  seal(interrupted ? "interrupted" : "failed", interrupted ? "interrupted" : kind,
       ended_by_itself ? message + ": " + exit.describe() : message, exit);
}

void Agent::seal(const std::string& status, const std::string& kind, const std::string& message,
                 const cluster::ExitStatus& exit) {
  cluster::failpoint("agent.before_seal");
  swaps_.leave();
  // Whatever this trainer made of it, the cause is what ended the gang.
  experiments::AttemptCause cause;
  cause.kind = kind;
  cause.message = message;
  cause.exit_code = exit.exit_code;
  cause.signal = exit.signal;
  if (status != "done" && work_->gang_ended) cause = *work_->gang_ended;
  if (work_->assignment.gang.rank > 0) {
    end_part(cause);
    return;
  }
  const bool of_gang = work_->gang_ended.has_value();
  const Assignment assignment = work_->assignment;
  const std::string started = work_->started;
  work_.reset();

  const std::filesystem::path folder = folder_of(assignment);
  experiments::AttemptRecord record;
  try {
    record = experiments::read_attempt(folder);
    const bool same = record.run_id == assignment.run_id && record.attempt == assignment.attempt &&
                      record.epoch == assignment.epoch;
    const bool final_done = record.status == "done" && record.result.has_value();
    if (same && (final_done || (status != "done" && record.status == status && !of_gang))) {
      end_with(record);
      return;
    }
  } catch (const cluster::Error&) {
    // No readable record: written below.
  }
  record = {};
  record.run_id = assignment.run_id;
  record.attempt = assignment.attempt;
  record.epoch = assignment.epoch;
  record.claim = assignment.claim;
  record.rerun_of = assignment.rerun_of;
  record.status = status == "done" ? "failed" : status;
  if (of_gang) record.status = cause.kind == "interrupted" ? "interrupted" : "failed";
  record.started = started;
  record.ended = cluster::utc_now();
  record.host = facts_.host;
  record.run = experiments::to_json(assignment.run);
  record.cause = cause;
  record.cause.log_tail = log_tail(folder / "log");
  try {
    experiments::fence_of(welcome_->results, experiments::RunId(assignment.run_id),
                          assignment.epoch, assignment.claim)
        .check();
    experiments::create_attempt_folder(folder);
    experiments::write_attempt(folder, record);
  } catch (const cluster::Error& error) {
    cluster::log_error(kArea, std::string("attempt record not written: ") + error.what());
  }
  end_with(record);
}

void Agent::end_without_files(const experiments::ResultRecord& result) {
  experiments::AttemptRecord record;
  record.run_id = work_->assignment.run_id;
  record.attempt = work_->assignment.attempt;
  record.epoch = work_->assignment.epoch;
  record.status = "done";
  record.started = work_->started;
  record.ended = cluster::utc_now();
  record.host = facts_.host;
  record.result = result;
  swaps_.leave();
  work_.reset();
  end_with(record);
}

void Agent::end_part(const experiments::AttemptCause& cause) {
  swaps_.leave();
  const MemberEnded ended{work_->assignment.epoch, work_->assignment.gang.generation, cause};
  work_.reset();
  last_busy_ = cluster::monotonic_seconds();
  send(ended);
}

void Agent::end_with(const experiments::AttemptRecord& record) {
  last_busy_ = cluster::monotonic_seconds();
  send(AttemptEnded{welcome_->epoch, record});
  cluster::failpoint("agent.sealed");
}

void Agent::forward_signals() {
  if (cluster::stop_signal_count() <= signals_forwarded_) return;
  signals_forwarded_ = cluster::stop_signal_count();
  send(StopRequest{cluster::stop_signal()});
}

}  // namespace marquee::orchestrator
