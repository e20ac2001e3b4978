// The coordinator before the first run: who works for it, what the ledger holds already.
#include <algorithm>
#include <iostream>
#include <utility>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/text.h"
#include "experiments/claim.h"
#include "experiments/ledger_takeover.h"
#include "experiments/recovery.h"
#include "orchestrator/scheduling/placeable.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kRunsEnteredAtFirst = 1000;

}  // namespace

void Coordinator::gather_agents(const PreparedSweep& prepared) {
  const int wanted = transport_.size() - 1;
  if (wanted < 1) {
    cluster::throw_usage(
        "a sweep needs at least two MPI ranks, a coordinator and an agent: start "
        "mpirun with -n 2 or more, or marquee without mpirun");
  }
  const double give_up = clock_.seconds() + kHelloSeconds;
  while (static_cast<int>(agents_.size()) < wanted) {
    transport_.progress();
    receive();
    if (clock_.seconds() > give_up) {
      cluster::throw_environment("only " + std::to_string(agents_.size()) + " of " +
                                 std::to_string(wanted) + " agents reported within " +
                                 std::to_string(static_cast<int>(kHelloSeconds)) + " s");
    }
    nap(clock_.seconds());
  }
  if (options_.simulate) script_slots(prepared.sweep.simulation);
  std::map<int, HostFacts> facts;
  for (const auto& [rank, agent] : agents_) facts[rank] = agent.facts;
  const int threads = threads_of(prepared.sweep.runs);
  for (const auto& [rank, slot] : assign_slots(facts, threads, options_.slots_per_host)) {
    agents_[rank].slot = slot;
  }
  if (const int largest = largest_gang(prepared.sweep.runs); largest > wanted) {
    cluster::throw_usage("a run asks for a gang of " + std::to_string(largest) + "; there are " +
                         std::to_string(wanted) +
                         " workers: start more (--workers), or lower 'gang'");
  }
  check_placeable(prepared.sweep.runs, slot_pool());
}

void Coordinator::open_ledger(PreparedSweep prepared) {
  cluster::create_directories_durably(options_.out);
  const std::filesystem::path results = std::filesystem::canonical(options_.out);
  options_.out = results;
  cluster::LeaseOptions wanted = cluster::lease_options();
  wanted.role = experiments::kSweepRole;
  lease_.emplace(cluster::Lease::acquire(results, wanted));
  experiments::wait_for_claims(results, wanted, [this] { lease_->renew(); });
  cluster::failpoint("coordinator.lease_taken");
  cluster::create_directories_durably(results / "logs");
  ledger_.emplace(experiments::open_ledger(results, *lease_));
  sweep_ = std::move(prepared.sweep);
  list_ = std::move(prepared.list);
  scheduler_.emplace(planned_runs(), slot_pool());
  expect(costs_->all());
  if (options_.run_list.empty()) {
    // Where nothing has been computed, the first runs of a large sweep need not wait for the last.
    const bool fresh = !std::filesystem::exists(results / "runs");
    ledger_->begin_batch();
    ledger_->enter_sweep(sweep_);
    to_enter_ = sweep_.runs.size();
    enter_runs(fresh ? kRunsEnteredAtFirst : to_enter_);
    ledger_->commit_batch();
  } else {
    // Derived runs are of no sweep; the others are known.
    ledger_->begin_batch();
    for (const experiments::RunConfig& run : list_.runs) ledger_->register_run(run);
    ledger_->commit_batch();
  }
  cluster::failpoint("coordinator.registered");
  experiments::recover(*ledger_, results);
  experiments::take_in(*ledger_, results);
  cluster::failpoint("coordinator.recovered");

  for (const experiments::RunState& state : ledger_->states(sweep_.name)) {
    if (!scheduler_->knows(state.run_id)) continue;
    if (state.status == "done") scheduler_->mark_done(state.run_id);
    if (state.status == "cancelled") scheduler_->cancel(state.run_id);
  }
  if (!options_.quiet) {
    const ScheduleCounts& counts = scheduler_->counts();
    std::cerr << (list_.derived()       ? "derived runs"
                  : sweep_.name.empty() ? "runs again"
                                        : "sweep " + sweep_.name)
              << ": " << counts.total << " runs, " << counts.done << " of them done before";
    if (counts.cancelled > 0) std::cerr << ", " << counts.cancelled << " cancelled";
    std::cerr << "; " << agents_.size() << " workers; results in "
              << cluster::printable(results.string()) << std::endl;
  }
  std::optional<experiments::Simulation> simulation;
  const double now = clock_.seconds();
  for (auto& [rank, agent] : agents_) {
    agent.last_heard = now;
    if (options_.simulate) {
      simulation =
          experiments::simulation_of_agent(sweep_.simulation, static_cast<std::size_t>(rank - 1));
    }
    tell(rank, Welcome{lease_->epoch(), agent.slot, results.string(), prepared.data.string(),
                       prepared.assets.string(), simulation, transport_.doorbell(),
                       cluster::to_text(options_.stage)});
  }
}

void Coordinator::enter_runs(std::size_t most) {
  const std::size_t end = std::min(to_enter_, entered_ + most);
  for (; entered_ < end; ++entered_) enter_run(entered_);
}

void Coordinator::enter_run(std::size_t place) {
  const PlannedRun& run = scheduler_->at(place);
  ledger_->enter_run(sweep_.name, experiments::RunId(run.run_id), sweep_.runs[run.position],
                     static_cast<int>(run.position));
}

}  // namespace marquee::orchestrator
