#include "orchestrator/coordinator.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <utility>

#include <unistd.h>

#include "analysis/report/comparison.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "cluster/text.h"
#include "experiments/base_manifest.h"
#include "experiments/collection.h"
#include "experiments/recovery.h"
#include "experiments/sweep_inputs.h"
#include "orchestrator/run_list.h"
#include "orchestrator/timing.h"
#include "orchestrator/trainer_process.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";
constexpr int kSomeRunsFailed = 1;
constexpr std::size_t kRunsEnteredAtFirst = 1000, kRunsEnteredAtOnce = 200;

// Share of an attempt done at this point of a phase, by a plain split of the phases.
double share_of(const RunProgress& progress) {
  struct Phase {
    const char* name;
    double start, length;
  };
  constexpr Phase kPhases[] = {{"load", 0.0, 0.02},   {"cache", 0.02, 0.08}, {"tune", 0.1, 0.6},
                               {"sample", 0.7, 0.25}, {"score", 0.95, 0.03}, {"save", 0.98, 0.02}};
  for (const Phase& phase : kPhases) {
    if (progress.phase != phase.name) continue;
    const double within = progress.total > 0
                              ? std::min(1.0, static_cast<double>(progress.step) /
                                                  static_cast<double>(progress.total))
                              : 0.0;
    return phase.start + phase.length * within;
  }
  return 0.0;
}

int largest_gang(const experiments::SweepFile& sweep) {
  int largest = 1;
  for (const experiments::RunConfig& run : sweep.runs)
    largest = std::max(largest, experiments::gang_size(run));
  return largest;
}

// Runs that are wanted again can be computed with the weights and data that they were planned with.
void check_unchanged(const std::vector<experiments::RunConfig>& listed,
                     const std::vector<experiments::RunConfig>& resolved) {
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (experiments::run_id(listed[i]) == experiments::run_id(resolved[i])) continue;
    cluster::throw_environment("run " + experiments::run_id(listed[i]).short_text() +
                               " was planned with other weights or data than are here: expected "
                               "base " +
                               listed[i].base_hash + " and data " + listed[i].data_hash +
                               ", found " + resolved[i].base_hash + " and " +
                               resolved[i].data_hash);
  }
}

}  // namespace

PreparedSweep prepare_sweep(const SweepOptions& options) {
  PreparedSweep prepared;
  prepared.sweep = options.run_list.empty() ? experiments::load_sweep(options.file, options.subset)
                                            : read_run_list(options.run_list);
  const std::vector<experiments::RunConfig> listed =
      options.run_list.empty() ? std::vector<experiments::RunConfig>{} : prepared.sweep.runs;
  if (options.simulate) {
    experiments::mark_simulated(prepared.sweep);
    check_unchanged(listed, prepared.sweep.runs);
    return prepared;
  }
  prepared.assets = experiments::find_assets_dir(options.assets);
  if (!options.data.empty()) {
    if (!std::filesystem::is_directory(options.data)) {
      cluster::throw_environment("no data folder at " + options.data.string() +
                                 ": --data must name a folder of TFDS data sets");
    }
    prepared.data = std::filesystem::canonical(options.data);
  }
  std::vector<std::string> checked;
  for (const experiments::RunConfig& run : prepared.sweep.runs) {
    if (std::find(checked.begin(), checked.end(), run.base) != checked.end()) continue;
    checked.push_back(run.base);
    experiments::verify_base(experiments::load_base_manifest(prepared.assets, run.base));
  }
  experiments::resolve_hashes(prepared.sweep, prepared.assets, prepared.data);
  check_unchanged(listed, prepared.sweep.runs);
  return prepared;
}

int threads_of(const experiments::SweepFile& sweep) {
  int threads = 1;
  for (const experiments::RunConfig& run : sweep.runs) threads = std::max(threads, run.threads);
  return threads;
}

int workers_for(const SweepOptions& options, const experiments::SweepFile& sweep) {
  if (options.workers > 0) return options.workers;
  const HostFacts host{cluster::host_name(), cluster::available_cpus(), cluster::gpu_count()};
  const int slots = slots_of_host(host, threads_of(sweep), options.slots_per_host);
  return std::max(1, std::min(slots, static_cast<int>(sweep.runs.size())));
}

Coordinator::Coordinator(cluster::MpiSession& session, SweepOptions options)
    : session_(session), options_(std::move(options)), progress_line_(options_.quiet) {}

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
  gather_agents(threads_of(prepared.sweep), largest_gang(prepared.sweep));
  open_ledger(std::move(prepared));
  work();
  return finish();
}

void Coordinator::gather_agents(int threads, int largest_gang) {
  const int wanted = session_.size() - 1;
  if (wanted < 1) {
    cluster::throw_usage(
        "a sweep needs at least two MPI ranks, a coordinator and an agent: start "
        "mpirun with -n 2 or more, or marquee without mpirun");
  }
  const double give_up = cluster::monotonic_seconds() + kHelloSeconds;
  while (static_cast<int>(agents_.size()) < wanted) {
    session_.progress();
    receive();
    if (cluster::monotonic_seconds() > give_up) {
      cluster::throw_environment("only " + std::to_string(agents_.size()) + " of " +
                                 std::to_string(wanted) + " agents reported within " +
                                 std::to_string(static_cast<int>(kHelloSeconds)) + " s");
    }
    nap(cluster::monotonic_seconds());
  }
  std::map<int, HostFacts> facts;
  for (const auto& [rank, agent] : agents_) facts[rank] = agent.facts;
  for (const auto& [rank, slot] : assign_slots(facts, threads, options_.slots_per_host)) {
    agents_[rank].slot = slot;
  }
  if (largest_gang > wanted) {
    cluster::throw_usage("a run asks for a gang of " + std::to_string(largest_gang) +
                         "; there are " + std::to_string(wanted) +
                         " workers: start more (--workers), or lower 'gang'");
  }
}

void Coordinator::open_ledger(PreparedSweep prepared) {
  cluster::create_directories_durably(options_.out);
  const std::filesystem::path results = std::filesystem::canonical(options_.out);
  options_.out = results;
  lease_.emplace(cluster::Lease::acquire(results, cluster::lease_options()));
  cluster::failpoint("coordinator.lease_taken");
  cluster::create_directories_durably(results / "logs");
  ledger_.emplace(experiments::Ledger::open(results, lease_->epoch()));
  sweep_ = std::move(prepared.sweep);
  scheduler_.emplace(plan_runs(sweep_.runs));
  if (options_.run_list.empty()) {
    // Where nothing has been computed, the first runs of a large sweep need not wait for the last.
    const bool fresh = !std::filesystem::exists(results / "runs");
    ledger_->begin_batch();
    ledger_->enter_sweep(sweep_);
    to_enter_ = sweep_.runs.size();
    enter_runs(fresh ? kRunsEnteredAtFirst : to_enter_);
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
    std::cerr << (sweep_.name.empty() ? "runs again" : "sweep " + sweep_.name) << ": "
              << counts.total << " runs, " << counts.done << " of them done before";
    if (counts.cancelled > 0) std::cerr << ", " << counts.cancelled << " cancelled";
    std::cerr << "; " << agents_.size() << " workers; results in "
              << cluster::printable(results.string()) << std::endl;
  }
  const std::string data = prepared.data.string();
  const std::string assets =
      prepared.assets.empty() ? "" : std::filesystem::canonical(prepared.assets).string();
  std::optional<experiments::Simulation> simulation;
  if (options_.simulate) simulation = sweep_.simulation;
  const double now = cluster::monotonic_seconds();
  for (auto& [rank, agent] : agents_) {
    agent.last_heard = now;
    tell(rank, Welcome{lease_->epoch(), agent.slot, results.string(), data, assets, simulation,
                       session_.doorbell()});
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

void Coordinator::work() {
  started_ = cluster::monotonic_seconds();
  last_renewed_ = started_;
  const pid_t parent = getppid();
  while (true) {
    session_.progress();
    receive();
    const double now = cluster::monotonic_seconds();
    if (cluster::stop_signal() != 0 && stopping_ == 0) {
      stopping_ = cluster::stop_signal();
      begin_stop();
    }
    tell_news();
    enter_news();
    commit_news();
    const bool stopped = stopping_ != 0 || gave_up_;
    look_into_inbox(now, !stopped && scheduler_->complete());
    keep_alive(now);
    publish_when_due(now);
    show_progress(now, false);
    if ((stopped || scheduler_->complete()) && !anything_running()) return;
    if (cluster::stop_signal_count() > 1)
      return;  // asked again: leave what runs to the next command
    if (getppid() != parent) cluster::throw_environment("mpirun has gone");
    nap(now);
  }
}

void Coordinator::nap(double now) {
  const bool committing = ledger_ && ledger_->committing();
  session_.wait(session_.woken_by_messages() ? kIdleNapSeconds : nap_seconds(now - last_busy_),
                committing ? ledger_->commit_fd() : -1);
}

void Coordinator::receive() {
  while (auto received = session_.try_receive()) {
    handle(received->first, parse_agent_message(received->second));
  }
}

void Coordinator::handle(int rank, const AgentMessage& message) {
  const double now = cluster::monotonic_seconds();
  if (const auto* hello = std::get_if<AgentHello>(&message)) {
    agents_[rank] = AgentState{hello->facts, {}, hello->doorbell, now, std::nullopt};
    session_.set_doorbell(rank, hello->doorbell);
    return;
  }
  const auto found = agents_.find(rank);
  if (found == agents_.end()) return;  // nothing counts before hello
  AgentState& agent = found->second;
  agent.last_heard = last_busy_ = now;
  if (const auto* progress = std::get_if<RunProgress>(&message)) {
    take_progress(agent, *progress);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&message)) {
    if (agent.running && agent.running->gang != 0) {
      end_gang_attempt(rank, *ended);
    } else {
      ended_.emplace_back(rank, *ended);
    }
  } else if (const auto* part = std::get_if<MemberEnded>(&message)) {
    take_part_of_gang(rank, part->epoch, part->generation, part->cause);
  } else if (const auto* request = std::get_if<StopRequest>(&message)) {
    if (stopping_ == 0) {
      stopping_ = request->signal == SIGINT ? SIGINT : SIGTERM;
      if (ledger_) begin_stop();
    }
  }
}

void Coordinator::end_gang_attempt(int rank, const AttemptEnded& ended) {
  const std::uint64_t generation = agents_.at(rank).running->gang;
  Gang& gang = gangs_.at(generation);
  const bool own = ended.record.run_id == agents_.at(rank).running->run_id &&
                   ended.record.attempt == agents_.at(rank).running->attempt;
  if (rank != gang.members.front() || !own) {
    cluster::log_warning(kArea, "agent " + std::to_string(rank) +
                                    " reports an attempt that is not its own: refused");
    return;
  }
  gang.attempt = ended;
  experiments::AttemptCause cause;
  if (ended.record.status != "done") cause = ended.record.cause;
  take_part_of_gang(rank, ended.epoch, generation, cause);
}

void Coordinator::take_part_of_gang(int rank, std::uint64_t epoch, std::uint64_t generation,
                                    const experiments::AttemptCause& cause) {
  const auto gang = gangs_.find(generation);
  if (!lease_ || epoch != lease_->epoch() || gang == gangs_.end() ||
      gang->second.working.erase(rank) == 0) {
    cluster::log_warning(
        kArea, "agent " + std::to_string(rank) + " reports a gang that is not its own: refused");
    return;
  }
  if (!cause.kind.empty()) tell_gang_ended(generation, cause);
  settle_gang(generation);
}

void Coordinator::tell_gang_ended(std::uint64_t generation,
                                  const experiments::AttemptCause& cause) {
  Gang& gang = gangs_.at(generation);
  if (std::exchange(gang.ended, true)) return;
  for (const int rank : gang.working)
    tell(rank, GangEnded{lease_->epoch(), generation, cause.kind, cause.message});
}

void Coordinator::settle_gang(std::uint64_t generation) {
  Gang& gang = gangs_.at(generation);
  // The run is over when the last member has ended: until then one may still read its checkpoints.
  if (!gang.working.empty()) return;
  if (gang.attempt) ended_.emplace_back(gang.members.front(), *gang.attempt);
}

void Coordinator::take_progress(AgentState& agent, const RunProgress& progress) {
  if (!lease_ || progress.epoch != lease_->epoch() || !agent.running ||
      agent.running->run_id != progress.run_id || agent.running->attempt != progress.attempt) {
    return;
  }
  Running& running = *agent.running;
  running.share = share_of(progress);
  running.phase = progress.phase;
  running.step = progress.step;
  running.total = progress.total;
  running.progressed = cluster::utc_now();
  running.deadline = cluster::utc_after(progress.deadline_seconds);
  changed_ = true;
}

void Coordinator::enter_news() {
  const bool may_start =
      stopping_ == 0 && !gave_up_ && scheduler_->may_start(idle_agents(), clock());
  const bool more_runs = entered_ < to_enter_ && !ledger_->in_batch();
  if (ended_.empty() && !may_start && !more_runs) return;
  if (!ledger_->in_batch()) ledger_->begin_batch();
  for (const auto& [rank, ended] : ended_) take_end(rank, ended);
  ended_.clear();
  give_up_when_too_many_failed();
  assign();
  if (more_runs) enter_runs(kRunsEnteredAtOnce);
  last_busy_ = cluster::monotonic_seconds();
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
    if (stopping_ != 0 || gave_up_) tell(rank, Interrupt{lease_->epoch()});
  }
  if (!news.assignments.empty()) cluster::failpoint("coordinator.assigned");
  collect(news.finished);
  last_busy_ = cluster::monotonic_seconds();
}

void Coordinator::settle() {
  while (ledger_->in_batch() || ledger_->committing()) {
    commit_news();
    while (ledger_->committing()) {
      session_.wait(kIdleNapSeconds, ledger_->commit_fd());
      tell_news();
    }
  }
}

void Coordinator::take_end(int rank, const AttemptEnded& ended) {
  AgentState& agent = agents_.at(rank);
  const experiments::AttemptRecord& record = ended.record;
  const bool current = lease_ && ended.epoch == lease_->epoch() &&
                       record.epoch == lease_->epoch() && agent.running &&
                       agent.running->run_id == record.run_id &&
                       agent.running->attempt == record.attempt;
  if (!current) {
    cluster::log_warning(kArea, "agent " + std::to_string(rank) +
                                    " reports an attempt that is not its own: refused");
    return;
  }
  ledger_->finish_attempt(record);
  if (const auto gang = gangs_.find(agent.running->gang); gang != gangs_.end()) {
    for (const int member : gang->second.members) agents_.at(member).running.reset();
    gangs_.erase(gang);
  }
  agent.running.reset();
  if (record.status == "done") {
    scheduler_->finished(record.run_id);
    finished_cost_ += scheduler_->at(scheduler_->place_of(record.run_id)).cost;
    finished_seconds_ += record.result ? record.result->seconds : 0.0;
    entered_news_.finished.push_back(record.run_id);
    ++fresh_done_;
  } else {
    const FailureKind kind =
        record.status == "interrupted" ? FailureKind::interrupted : failure_kind(record.cause.kind);
    const bool again = scheduler_->failed(record.run_id, kind);
    if (kind != FailureKind::interrupted) {
      progress_line_.end();
      cluster::log_warning(kArea, "run " + record.run_id.substr(0, 12) + ", attempt " +
                                      std::to_string(record.attempt) + " failed (" +
                                      failure_name(kind) + "): " + record.cause.message +
                                      (again ? "; it will be tried again" : "; set aside"));
    }
  }
}

Scheduler::Clock Coordinator::clock() const {
  return {cluster::monotonic_seconds(),
          finished_seconds_ > 0 ? finished_cost_ / finished_seconds_ : 0.0};
}

int Coordinator::idle_agents() const {
  return static_cast<int>(std::count_if(agents_.begin(), agents_.end(), [](const auto& agent) {
    return !agent.second.running.has_value();
  }));
}

std::vector<int> Coordinator::choose_slots(int slots) const {
  std::map<std::string, std::vector<int>> idle;  // by host
  for (const auto& [rank, agent] : agents_) {
    if (agent.running) continue;
    if (slots == 1) return {rank};
    idle[agent.facts.host].push_back(rank);
  }
  std::vector<const std::vector<int>*> hosts;
  for (const auto& [host, ranks] : idle) hosts.push_back(&ranks);
  const auto room = static_cast<std::size_t>(slots);
  // The host that it fills best; else as few hosts as will do.
  std::stable_sort(hosts.begin(), hosts.end(), [&](const auto* a, const auto* b) {
    const bool fits = a->size() >= room, other_fits = b->size() >= room;
    if (fits != other_fits) return fits;
    return fits ? a->size() < b->size() : a->size() > b->size();
  });
  std::vector<int> chosen;
  for (const std::vector<int>* ranks : hosts)
    for (const int rank : *ranks)
      if (chosen.size() < room) chosen.push_back(rank);
  MARQUEE_CHECK(chosen.size() == room, "a run was given more slots than are idle");
  return chosen;
}

void Coordinator::assign() {
  if (stopping_ != 0 || gave_up_) return;
  const bool files = !options_.simulate || sweep_.simulation.files;
  for (int idle = idle_agents(); idle > 0;) {
    const std::optional<std::string> next = scheduler_->next(idle, clock());
    if (!next) break;
    const std::size_t place = scheduler_->place_of(*next);
    if (place >= entered_ && place < to_enter_) enter_run(place);
    const PlannedRun& planned = scheduler_->at(place);
    const experiments::RunConfig& run = sweep_.runs[planned.position];
    const std::vector<int> ranks = choose_slots(planned.slots);
    idle -= planned.slots;
    const AgentState& first = agents_.at(ranks.front());
    const int attempt = ledger_->start_attempt(
        experiments::RunId(*next), first.facts.host, first.slot.slot,
        files ? experiments::AttemptFolder::claimed : experiments::AttemptFolder::none);
    Running running;
    running.run_id = *next;
    running.attempt = attempt;
    running.phase = "start";
    running.since = running.progressed = cluster::utc_now();
    running.deadline = cluster::utc_after(kTrainerStartSeconds);
    GangPlace place_in_gang;
    if (planned.slots > 1) {
      running.gang = place_in_gang.generation = ++last_generation_;
      gangs_[running.gang] = {ranks, {ranks.begin(), ranks.end()}};
      for (const int rank : ranks)
        place_in_gang.members.push_back({rank, agents_.at(rank).doorbell});
    }
    for (const int rank : ranks) {
      agents_.at(rank).running = running;
      entered_news_.assignments.emplace_back(
          rank, Assignment{lease_->epoch(), *next, attempt, run, place_in_gang});
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
  const double after = cluster::monotonic_seconds();
  published_ = after;
  next_publish_ = after + std::max(kPublishSeconds, 50.0 * (after - now));
  changed_ = false;
}

Forecast Coordinator::forecast_at(double now) const {
  double shares = 0.0;
  for (const auto& [rank, agent] : agents_) shares += agent.running ? agent.running->share : 0.0;
  return forecast(scheduler_->counts(), shares, fresh_done_, now - started_);
}

void Coordinator::show_progress(double now, bool force) {
  progress_line_.show(progress_text(scheduler_->counts(), agents_.size(), forecast_at(now)), now,
                      force);
}

int Coordinator::finish() {
  progress_line_.end();
  settle();
  ledger_->begin_batch();
  enter_runs(to_enter_);
  ledger_->commit_batch();
  enter_live(cluster::monotonic_seconds(), true);
  ledger_->publish();
  cluster::failpoint("coordinator.before_end");
  const ScheduleCounts counts = scheduler_->counts();
  const std::filesystem::path published = options_.out / "results.sqlite";
  if (options_.json) {
    const nlohmann::json summary = {{"sweep", sweep_.name},
                                    {"total", counts.total},
                                    {"done", counts.done},
                                    {"failed", counts.failed},
                                    {"cancelled", counts.cancelled},
                                    {"waiting", counts.waiting},
                                    {"seconds", cluster::monotonic_seconds() - started_},
                                    {"results", published.string()},
                                    {"stopped_by_signal", stopping_}};
    std::cout << summary.dump() << std::endl;
  } else if (sweep_.name.empty()) {
    std::cout << counts.done << " of " << counts.total << " runs done\n" << std::flush;
  } else {
    std::cout << analysis::comparison_text(published, sweep_.name) << std::flush;
  }
  if (stopping_ != 0) {
    std::cerr << "marquee: stopped by signal " << stopping_
              << "; the same command goes on from there" << std::endl;
    return 128 + stopping_;
  }
  if (counts.failed > 0) {
    std::cerr << "marquee: " << counts.failed << " of " << counts.total
              << " runs failed; marquee query --out " << options_.out.string()
              << " \"SELECT * FROM failures\" tells why" << std::endl;
    if (gave_up_)
      std::cerr << "marquee: stopped by --max-fails " << options_.max_fails << "; "
                << counts.waiting << " runs wait; the same command goes on from there" << std::endl;
    return kSomeRunsFailed;
  }
  return 0;
}

void Coordinator::tell(int rank, const CoordinatorMessage& message) {
  session_.send(rank, to_text(message));
}

void Coordinator::stop_agents(int exit_code) {
  for (int rank = 1; rank < session_.size(); ++rank) tell(rank, Stop{exit_code});
}

bool Coordinator::anything_running() const {
  return std::any_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent.second.running.has_value(); });
}

}  // namespace marquee::orchestrator
