// The coordinator's dealings with people while a sweep runs: what they leave in the inbox, and the
// live state that `marquee status` shows them.
#include <iostream>

#include <unistd.h>

#include "cluster/host.h"
#include "cluster/log.h"
#include "orchestrator/human.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";

}  // namespace

void Coordinator::look_into_inbox(double now, bool at_once) {
  if (!at_once && now - inbox_seen_ < kInboxSeconds) return;
  inbox_seen_ = now;
  if (!experiments::inbox_waits(options_.out)) return;
  settle();
  act_on(experiments::take_in(*ledger_, options_.out));
  changed_ = true;
}

void Coordinator::act_on(const experiments::TakenIn& taken) {
  for (const std::string& run : taken.finished) {
    if (scheduler_->knows(run)) scheduler_->finished_elsewhere(run);
  }
  for (const std::string& run : taken.cancelled) {
    if (!scheduler_->knows(run) || !scheduler_->cancel(run)) continue;
    for (const auto& [rank, agent] : agents_) {
      if (agent.running && agent.running->run_id == run) tell(rank, Interrupt{lease_->epoch()});
    }
  }
  for (const std::string& run : taken.wanted) plan_again(run);
}

void Coordinator::plan_again(const std::string& run_id) {
  if (scheduler_->knows(run_id)) {
    scheduler_->again(run_id);
    return;
  }
  const std::optional<experiments::RunConfig> run = ledger_->configuration(run_id);
  if (!run || (run->base_hash == experiments::kSimulatedHash) != options_.simulate) {
    cluster::log_warning(
        kArea, "run " + short_id(run_id) + " is wanted again but not of this sweep; it waits");
    return;
  }
  PlannedRun planned = plan_run(*run, sweep_.runs.size());
  if (!scheduler_->could_place(planned)) {
    cluster::log_warning(kArea, "run " + short_id(run_id) +
                                    " is wanted again, but no slot here can take it; it waits");
    return;
  }
  expect({{planned.kind, costs_->know(planned, *run)}});
  sweep_.runs.push_back(*run);
  scheduler_->add(std::move(planned));
}

void Coordinator::give_up_when_too_many_failed() {
  if (options_.max_fails == 0 || stopped() ||
      scheduler_->counts().failed < static_cast<std::size_t>(options_.max_fails))
    return;
  gave_up_ = true;
  progress_line_.end();
  std::cerr << "marquee: " << scheduler_->counts().failed
            << " runs have been set aside (--max-fails): stopping" << std::endl;
  interrupt_all();
}

void Coordinator::enter_live(double now, bool ended) {
  const ScheduleCounts& counts = scheduler_->counts();
  experiments::CoordinatorState state;
  state.sweep = sweep_.name;
  state.host = cluster::host_name();
  state.pid = getpid();
  state.workers = static_cast<int>(agents_.size());
  state.runs = counts.total;
  state.done = counts.done;
  state.failed = counts.failed;
  state.cancelled = counts.cancelled;
  state.fresh_done = fresh_done_;
  const Forecast ahead = forecast_at(now);
  state.runs_per_hour = ahead.runs_per_hour;
  state.seconds_left = ahead.seconds_left;
  state.ended = ended;
  std::vector<experiments::SlotState> slots;
  for (const auto& [rank, agent] : agents_) {
    if (ended) break;
    experiments::SlotState slot;
    slot.host = agent.facts.host;
    slot.slot = agent.slot.slot;
    if (agent.running) {
      const Running& running = *agent.running;
      slot.run_id = running.run_id;
      slot.attempt = running.attempt;
      slot.phase = running.phase;
      slot.step = running.step;
      slot.total = running.total;
      slot.since = running.since;
      slot.progressed = running.progressed;
      slot.deadline = running.deadline;
    }
    slots.push_back(std::move(slot));
  }
  ledger_->enter_live(state, slots);
}

}  // namespace marquee::orchestrator
