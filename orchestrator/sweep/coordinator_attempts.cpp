// The coordinator's main business: attempts end and are entered in the ledger, runs are chosen and
// given to agents, and nobody is told of what is not durable.
#include <utility>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "experiments/collection.h"
#include "orchestrator/human.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";
constexpr std::size_t kRunsEnteredAtOnce = 200;

}  // namespace

void Coordinator::enter_news() {
  const bool may_start = !stopped() && scheduler_->may_start(scheduler_clock());
  const bool more_runs = entered_ < to_enter_ && !ledger_->in_batch();
  if (ended_.empty() && !may_start && !more_runs) return;
  if (!ledger_->in_batch()) ledger_->begin_batch();
  for (const auto& [rank, ended] : ended_) take_end(rank, ended);
  ended_.clear();
  give_up_when_too_many_failed();
  assign();
  if (more_runs) enter_runs(kRunsEnteredAtOnce);
  last_busy_ = clock_.seconds();
}

void Coordinator::commit_news() {
  if (!ledger_->in_batch() || ledger_->committing()) return;
  cluster::failpoint("coordinator.before_commit");
  ledger_->start_commit();
  committed_news_ = std::exchange(entered_news_, {});
}

void Coordinator::tell_news() {
  if (!ledger_->committing() || !ledger_->commit_ready()) return;
  ledger_->finish_commit();
  cluster::failpoint("coordinator.after_commit");
  changed_ = true;
  const News news = std::exchange(committed_news_, {});
  for (const auto& [rank, assignment] : news.assignments) {
    tell(rank, assignment);
    // The request to stop went out before there was anything to interrupt.
    if (stopped()) tell(rank, Interrupt{lease_->epoch()});
  }
  if (!news.assignments.empty()) cluster::failpoint("coordinator.assigned");
  collect(news.finished);
  last_busy_ = clock_.seconds();
}

void Coordinator::settle() {
  while (ledger_->in_batch() || ledger_->committing()) {
    commit_news();
    while (ledger_->committing()) {
      transport_.wait(kIdleNapSeconds, ledger_->commit_fd());
      tell_news();
    }
  }
}

// Of an attempt that this agent's trainer, alone or with others, works on in this epoch.
bool Coordinator::is_current(int rank, const AttemptEnded& ended) const {
  const std::optional<Running>& running = agents_.at(rank).running;
  const experiments::AttemptRecord& record = ended.record;
  if (lease_ && ended.epoch == lease_->epoch() && record.epoch == lease_->epoch() && running &&
      running->run_id == record.run_id && running->attempt == record.attempt)
    return true;
  refuse(rank, "an attempt");
  return false;
}

void Coordinator::refuse(int rank, const std::string& what) {
  cluster::log_warning(kArea, "agent " + std::to_string(rank) + " reports " + what +
                                  " that is not its own: refused");
}

void Coordinator::end_attempt(int rank, const AttemptEnded& ended) {
  if (!is_current(rank, ended)) return;
  const std::uint64_t generation = agents_.at(rank).running->gang;
  if (generation == 0) {
    ended_.emplace_back(rank, ended);
    return;
  }
  const auto change = gangs_.end_attempt(rank, generation, ended);
  change ? end_members(generation, *change, ended.record.cause) : refuse(rank, "a gang");
}

void Coordinator::end_part(int rank, const MemberEnded& part) {
  std::optional<Gangs::Change> change;
  if (lease_ && part.epoch == lease_->epoch())
    change = gangs_.end_part(rank, part.generation, !part.cause.kind.empty());
  change ? end_members(part.generation, *change, part.cause) : refuse(rank, "a gang");
}

void Coordinator::end_members(std::uint64_t generation, const Gangs::Change& change,
                              const experiments::AttemptCause& cause) {
  for (const int rank : change.to_end)
    tell(rank, GangEnded{lease_->epoch(), generation, cause.kind, cause.message});
  if (change.attempt) ended_.emplace_back(gangs_.members(generation).front(), *change.attempt);
}

void Coordinator::take_end(int rank, const AttemptEnded& ended) {
  if (!is_current(rank, ended)) return;
  AgentState& agent = agents_.at(rank);
  const experiments::AttemptRecord& record = ended.record;
  ledger_->finish_attempt(record);
  const Running running = *agent.running;
  if (running.gang != 0) {
    for (const int member : gangs_.members(running.gang)) agents_.at(member).running.reset();
  }
  agent.running.reset();
  if (record.status == "done") {
    scheduler_->finished(record.run_id);
    if (on_one_host(running, agent.facts.host)) health_.works(agent.facts.host);
    learn(record);
    entered_news_.finished.push_back(record.run_id);
    ++fresh_done_;
  } else {
    const FailureKind kind =
        record.status == "interrupted" ? FailureKind::interrupted : failure_kind(record.cause.kind);
    const bool again = take_failure(rank, running, record, kind);
    if (kind != FailureKind::interrupted) {
      const std::string advice = again ? "" : remedy(kind);
      progress_line_.end();
      cluster::log_warning(kArea, "run " + short_id(record.run_id) + ", attempt " +
                                      std::to_string(record.attempt) + " failed (" +
                                      failure_name(kind) + "): " + record.cause.message +
                                      (again ? "; it will be tried again" : "; set aside") +
                                      (advice.empty() ? "" : ": " + advice));
    }
  }
  if (running.gang != 0) gangs_.forget(running.gang);
}

void Coordinator::assign() {
  if (stopped()) return;
  const bool files = !options_.simulate || sweep_.simulation.files;
  while (const std::optional<Scheduler::Start> next = scheduler_->next(scheduler_clock())) {
    ++fresh_started_;
    const std::size_t place = scheduler_->place_of(next->run_id);
    if (place >= entered_ && place < to_enter_) enter_run(place);
    const PlannedRun& planned = scheduler_->at(place);
    const experiments::RunConfig& run = sweep_.runs[planned.position];
    const std::vector<int>& ranks = next->slots;
    const AgentState& first = agents_.at(ranks.front());
    const int attempt = ledger_->start_attempt(
        experiments::RunId(next->run_id), first.facts.host, first.slot.slot,
        files ? experiments::AttemptFolder::claimed : experiments::AttemptFolder::none);
    Running running;
    running.run_id = next->run_id;
    running.attempt = attempt;
    running.phase = "start";
    running.since = running.progressed = cluster::utc_now();
    running.deadline = cluster::utc_after(kTrainerStartSeconds);
    GangPlace place_in_gang;
    if (planned.slots > 1) {
      running.gang = place_in_gang.generation = gangs_.start(ranks);
      for (const int rank : ranks)
        place_in_gang.members.push_back({rank, agents_.at(rank).doorbell});
    }
    for (const int rank : ranks) {
      agents_.at(rank).running = running;
      entered_news_.assignments.emplace_back(
          rank, Assignment{lease_->epoch(), next->run_id, attempt, run, place_in_gang});
      ++place_in_gang.rank;
    }
  }
}

void Coordinator::collect(const std::vector<std::string>& finished) {
  if (options_.simulate && !sweep_.simulation.files) return;
  for (const std::string& run : finished) {
    try {
      experiments::collect_run(experiments::run_dir(options_.out, experiments::RunId(run)),
                               sweep_.keep, experiments::RunStanding::done,
                               [] { cluster::failpoint("coordinator.collecting"); });
    } catch (const cluster::Error& error) {
      cluster::log_warning(kArea, error.what());
    }
  }
}

}  // namespace marquee::orchestrator
