// What the coordinator tells its scheduler: the slots and what is known about durations at first,
// and what is learnt while runs end: durations, hosts that fail, the time that is left.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <utility>

#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/text.h"
#include "orchestrator/human.h"
#include "orchestrator/planning/probe.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/run_history.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";
constexpr double kProbeSeconds = 120;  // for all probes together

}  // namespace

void Coordinator::script_slots(const experiments::Simulation& simulation) {
  if (simulation.slots.empty()) return;
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  for (auto& [rank, agent] : agents_) {
    const experiments::SimulatedSlot slot =
        experiments::simulation_of_agent(simulation, static_cast<std::size_t>(rank - 1))
            .slots.front();
    agent.facts.host = slot.host;
    agent.facts.gpus = 0;
    agent.facts.devices.clear();
    agent.facts.cpu = slot.kind;
    agent.facts.memory_bytes = static_cast<std::int64_t>(slot.memory * kGiB);
  }
}

SlotPool Coordinator::slot_pool() const {
  std::map<int, SlotFacts> slots;
  for (const auto& [rank, agent] : agents_) slots[rank] = facts_of_slot(agent.facts, agent.slot);
  return SlotPool(slots);
}

CostModel Coordinator::make_costs(const PreparedSweep& prepared) const {
  // What trainers run on: where slots differ, the first stands for all.
  std::string machine = machine_here(options_.simulate);
  const AgentState& first = agents_.begin()->second;
  if (!options_.simulate && first.slot.gpu >= 0)
    machine = facts_of_slot(first.facts, first.slot).kind + " " + first.facts.cpu;
  experiments::RunTimeModel earlier(machine), probed(machine);
  try {
    earlier = read_times(options_.out, machine);
  } catch (const std::exception& error) {
    cluster::log_warning(kArea,
                         std::string("earlier runs tell nothing about times: ") + error.what());
  }
  if (options_.probe && !options_.simulate) {
    std::vector<const experiments::RunConfig*> unknown;
    for (const experiments::RunConfig& run : prepared.sweep.runs)
      if (!earlier.predict(run)) unknown.push_back(&run);
    const ProbedRuns answer = probe_each(find_trainer(), unknown, prepared.assets, kProbeSeconds);
    if (!answer.problem.empty()) cluster::log_warning(kArea, answer.problem);
    probed = answer.times;
  }
  return {std::move(earlier), std::move(probed)};
}

std::vector<PlannedRun> Coordinator::planned_runs() {
  std::vector<PlannedRun> planned = plan_runs(sweep_.runs);
  for (PlannedRun& run : planned) run.cost = costs_->know(run, sweep_.runs[run.position]).cost;
  return planned;
}

void Coordinator::learn(const experiments::AttemptRecord& record) {
  if (!record.result) return;
  const PlannedRun& planned = scheduler_->at(scheduler_->place_of(record.run_id));
  const experiments::RunConfig& run = sweep_.runs[planned.position];
  const nlohmann::json& told = record.result->provenance;
  std::optional<experiments::PhaseTimes> times;
  if (told.is_object() && told.contains(experiments::kTimingKey))
    times = experiments::phase_times_from_json(told.at(experiments::kTimingKey));
  if (!times) times = experiments::times_of_one_phase(run, record.result->seconds);
  const std::string machine = experiments::machine_of(record.result->fingerprint);
  expect(costs_->learn(planned, run, machine, *times));
}

void Coordinator::expect(const std::vector<CostModel::Change>& changes) {
  // What is measured is the memory of processes, which says nothing about a GPU's.
  const bool gpus = std::any_of(agents_.begin(), agents_.end(),
                                [](const auto& agent) { return agent.second.slot.gpu >= 0; });
  for (CostModel::Change change : changes) {
    if (gpus) change.estimate.peak_bytes = 0;
    scheduler_->set_estimate(change.kind, change.estimate);
  }
}

bool Coordinator::on_one_host(const Running& running, const std::string& host) const {
  if (running.gang == 0) return true;
  const std::vector<int>& members = gangs_.members(running.gang);
  return std::all_of(members.begin(), members.end(),
                     [&](int member) { return agents_.at(member).facts.host == host; });
}

bool Coordinator::take_failure(int rank, const Running& running,
                               const experiments::AttemptRecord& record, FailureKind kind) {
  const bool again = scheduler_->failed(record.run_id, kind);
  const bool never_started =
      running.phase == "start" && (kind == FailureKind::crash || kind == FailureKind::deadline);
  const std::string& host = agents_.at(rank).facts.host;
  if ((kind != FailureKind::environment && !never_started) || !on_one_host(running, host))
    return again;
  return judge_host(host, {record.run_id, kind}) || again;
}

bool Coordinator::judge_host(const std::string& host, const HostHealth::Failure& failure) {
  const auto slots = std::count_if(agents_.begin(), agents_.end(), [&](const auto& agent) {
    return agent.second.facts.host == host;
  });
  const bool suspect = health_.failed(host, static_cast<int>(slots), failure);
  if (scheduler_->pool().excluded(host)) return scheduler_->forgive(failure.run_id, failure.kind);
  if (!suspect || !scheduler_->exclude(host)) return false;
  bool revived = false;
  for (const HostHealth::Failure& earlier : health_.failures(host)) {
    const bool waits_again = scheduler_->forgive(earlier.run_id, earlier.kind);
    revived = revived || (waits_again && earlier.run_id == failure.run_id);
  }
  const std::string text =
      host +
      ": run after run failed there (their environment, or a trainer that did not start) "
      "while runs worked on other hosts; this sweep starts no more there";
  ledger_->add_event("host_excluded", "", text);
  progress_line_.end();
  std::cerr << "marquee: host " << cluster::printable(text) << std::endl;
  return revived;
}

Scheduler::Clock Coordinator::scheduler_clock() const {
  return {clock_.seconds(), costs_->in_seconds() ? 1.0 : 0.0, seconds_left()};
}

double Coordinator::seconds_left() const {
  if (!limit_) return std::numeric_limits<double>::infinity();
  return began_ + limit_->ends_in - options_.time_margin - clock_.seconds();
}

void Coordinator::look_at_time() {
  if (!limit_ || stopped() || scheduler_->complete()) return;
  const double left = seconds_left();
  if (left > 0 && !scheduler_->out_of_time()) return;
  if (!std::exchange(said_time_is_up_, true)) {
    const ScheduleCounts& counts = scheduler_->counts();
    progress_line_.end();
    std::cerr << "marquee: " << limit_->source << ": the time ends in "
              << human_seconds(std::max(0.0, std::ceil(left + options_.time_margin)));
    if (counts.waiting > 0) {
      std::cerr << "; " << counts.waiting << " waiting run" << (counts.waiting == 1 ? "" : "s")
                << " cannot reach a checkpoint by then and "
                << (counts.waiting == 1 ? "does" : "do") << " not start";
    }
    std::cerr << std::endl;
  }
  if (left > 0) return;
  time_is_up_ = true;
  interrupt_all();
}

}  // namespace marquee::orchestrator
