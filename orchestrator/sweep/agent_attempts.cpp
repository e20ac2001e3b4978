// An attempt in an agent's hands, from the assignment to its record: a trainer for it, and how it
// ended, whoever says so.
#include <utility>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "experiments/claim.h"
#include "experiments/run_folder.h"
#include "orchestrator/sweep/agent.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "agent";
constexpr std::size_t kGangBytes = std::size_t{32} << 20;  // half goes out, half comes in

}  // namespace

void Agent::begin(const Assignment& assignment) {
  work_ = Work{assignment, cluster::utc_now()};
  cluster::failpoint("agent.assigned");
  const bool gang = in_gang();
  try {
    // First of all: whatever fails from here on, the other members hear of it.
    if (gang) join_gang();
    if (assignment.gang.rank == 0) note_start();
    have_trainer(assignment.run.threads, gang && !welcome_->simulation);
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

void Agent::have_trainer(int threads, bool exchanges) {
  if (trainer_ &&
      (trainer_->threads() != threads || trainer_->try_wait() || (exchanges && buffer_ == nullptr)))
    end_trainer();
  if (trainer_) return;
  TrainerCommand command;
  buffer_.reset();
  if (exchanges) {
    buffer_ = std::make_shared<cluster::SharedBuffer>(cluster::SharedBuffer::create(kGangBytes));
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

experiments::AttemptRecord Agent::record_of(const Work& work, const std::string& status) const {
  experiments::AttemptRecord record;
  record.run_id = work.assignment.run_id;
  record.attempt = work.assignment.attempt;
  record.epoch = work.assignment.epoch;
  record.claim = work.assignment.claim;
  record.rerun_of = work.assignment.rerun_of;
  record.status = status;
  record.started = work.started;
  if (status != "running") record.ended = cluster::utc_now();
  record.host = facts_.host;
  return record;
}

void Agent::note_start() const {
  if (welcome_->simulation && !welcome_->simulation->files) return;
  experiments::AttemptRecord record = record_of(*work_, "running");
  record.run = experiments::to_json(work_->assignment.run);
  experiments::note_start(folder_of(work_->assignment), record);
}

std::filesystem::path Agent::folder_of(const Assignment& assignment) const {
  return experiments::attempt_dir(welcome_->results, experiments::RunId(assignment.run_id),
                                  assignment.attempt);
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
  const Work work = *std::exchange(work_, std::nullopt);
  const Assignment& assignment = work.assignment;

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
  std::string ended_as = status == "done" ? "failed" : status;
  if (of_gang) ended_as = cause.kind == "interrupted" ? "interrupted" : "failed";
  record = record_of(work, ended_as);
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
  experiments::AttemptRecord record = record_of(*work_, "done");
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

}  // namespace marquee::orchestrator
