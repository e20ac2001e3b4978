#include "orchestrator/sweep/worker.h"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "cluster/text.h"
#include "experiments/brief_hold.h"
#include "experiments/claim.h"
#include "experiments/results_folder.h"
#include "experiments/single_run.h"
#include "orchestrator/human.h"
#include "orchestrator/scheduling/placeable.h"
#include "orchestrator/sweep/agent.h"
#include "orchestrator/sweep/derived_runs.h"
#include "orchestrator/sweep/run_history.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "work";
constexpr double kLookSeconds = 2.0;  // from one look for runs to the next while there are none
constexpr int kSomeRunsFailed = 1;
constexpr int kEnterTries = 10;

// Enters the sweep and its runs where the published database lacks some. Who finds the ledger busy
// tries again for a moment; without an entry runs become known as they are handed in.
void enter_sweep(const std::filesystem::path& results, const experiments::SweepFile& sweep) {
  const std::map<std::string, std::string> known = read_statuses(results);
  const bool all = std::all_of(sweep.runs.begin(), sweep.runs.end(), [&](const auto& run) {
    return known.count(experiments::run_id(run).text()) > 0;
  });
  if (all) return;
  for (int attempt = 1; attempt <= kEnterTries; ++attempt) {
    std::string busy;
    if (auto hold = experiments::BriefHold::try_take(results, busy)) {
      if (sweep.name.empty()) {
        hold->ledger().begin_batch();
        for (const auto& run : sweep.runs) hold->ledger().register_run(run);
        hold->ledger().commit_batch();
      } else {
        hold->ledger().register_sweep(sweep);
      }
      hold->publish();
      return;
    }
    usleep(static_cast<useconds_t>(50'000 * attempt));
  }
}

}  // namespace

Worker::Worker(const SweepOptions& options, PreparedSweep prepared, const std::string& since)
    : options_(options),
      prepared_(std::move(prepared)),
      lease_options_(cluster::lease_options()),
      transport_(*this),
      progress_line_(options.quiet),
      began_(cluster::monotonic_seconds()) {
  limit_ = time_limit(options_.time_limit);
  cluster::create_directories_durably(options_.out);
  options_.out = std::filesystem::canonical(options_.out);
  cluster::create_directories_durably(options_.out / "logs");
  // A gang's numbers are those of one trainer, and here is one.
  std::vector<experiments::RunConfig> runs = prepared_.sweep.runs;
  for (experiments::RunConfig& run : runs) run.gang = 1;
  sweep_.emplace(options_.out, std::move(runs), since, machine_here(options_.simulate),
                 lease_options_.stale_after_seconds);
  sweep_->refuse_coordinator();
  enter_sweep(options_.out, prepared_.sweep);
}

int Worker::run() {
  cluster::install_stop_signals();
  if (!options_.quiet) {
    std::cerr << "marquee: working on " << sweep_->runs().size() << " runs"
              << (prepared_.sweep.name.empty() ? "" : " of sweep " + prepared_.sweep.name) << " in "
              << cluster::printable(options_.out.string()) << std::endl;
  }
  while (end_ == End::none) {
    try {
      Agent(transport_, Agent::Parent::any).run();
    } catch (const cluster::Error& error) {
      // Another worker has the run now: its trainer has gone with the agent, and nothing of it was
      // sealed.
      const bool claim_lost = error.kind() == cluster::ErrorKind::busy && work_.has_value();
      if (!claim_lost) throw;
      cluster::log_warning(kArea, error.what());
      work_.reset();
      transport_.clear();
    }
  }
  return finish();
}

void Worker::take(const std::string& message) {
  const AgentMessage parsed = parse_agent_message(message);
  if (const auto* hello = std::get_if<AgentHello>(&parsed)) {
    welcome(*hello);
  } else if (const auto* progress = std::get_if<RunProgress>(&parsed)) {
    phase_ = progress->total > 0
                 ? fmt::format("{} {}/{}", progress->phase, progress->step, progress->total)
                 : progress->phase;
  } else if (const auto* ended = std::get_if<AttemptEnded>(&parsed)) {
    end_attempt(ended->record);
  } else if (const auto* request = std::get_if<StopRequest>(&parsed)) {
    if (signal_ != 0) stop_agent(128 + signal_);  // asked again: at once
    signal_ = request->signal == SIGINT ? SIGINT : SIGTERM;
    end_ = End::stopped;
    interrupt();
  }
}

void Worker::welcome(const AgentHello& hello) {
  Welcome welcome;
  // Where the scheduler of the machine has put this process, its trainer may be.
  welcome.slot = {0, {}, hello.facts.gpus > 0 ? 0 : -1};
  check_placeable(sweep_->runs(), SlotPool({{1, facts_of_slot(hello.facts, welcome.slot)}}));
  epoch_ = welcome.epoch = cluster::read_lease(options_.out).epoch;
  welcome.results = options_.out.string();
  welcome.data = prepared_.data.string();
  welcome.assets = prepared_.assets.string();
  if (options_.simulate) welcome.simulation = prepared_.sweep.simulation;
  welcome.stage = cluster::to_text(options_.stage);
  transport_.tell(to_text(CoordinatorMessage(welcome)));
}

void Worker::look_around() {
  const double now = cluster::monotonic_seconds();
  if (now - last_alive_ > kAliveIntervalSeconds) {
    last_alive_ = now;
    transport_.tell(to_text(CoordinatorMessage(CoordinatorAlive{})));
  }
  if (work_) renew(now);
  if (end_ == End::none && seconds_left() <= 0) {
    end_ = End::out_of_time;
    progress_line_.end();
    std::cerr << "marquee: " << limit_->source << ": the time is nearly over" << std::endl;
    interrupt();
  }
  if (!work_ && end_ != End::none) return stop_agent(0);
  if (!work_ && now >= next_look_) begin_next(now);
  show_progress(now);
}

void Worker::begin_next(double now) {
  next_look_ = now + kLookSeconds;
  std::optional<SharedSweep::Taken> taken = sweep_->take_next(seconds_left());
  if (!taken) {
    if (sweep_->all_over() || (options_.leave_rest && sweep_->left_to_living()))
      end_ = sweep_->counts().late > 0 ? End::out_of_time : End::settled;
    return;
  }
  cluster::failpoint("worker.claimed");
  Assignment assignment;
  assignment.epoch = epoch_;
  assignment.run_id = taken->run_id;
  assignment.attempt = taken->attempt;
  assignment.run = sweep_->runs()[taken->run];
  assignment.claim = taken->claim.epoch();
  assignment.rerun_of = taken->rerun_of;
  phase_ = "start";
  renewed_ = now;
  ++started_here_;
  work_.emplace(Work{std::move(*taken)});
  transport_.tell(to_text(CoordinatorMessage(assignment)));
}

void Worker::end_attempt(const experiments::AttemptRecord& record) {
  if (!work_ || record.run_id != work_->taken.run_id || record.attempt != work_->taken.attempt)
    return;
  cluster::failpoint("worker.sealed");
  work_->taken.claim.renew();  // it is still ours
  const experiments::Delivery delivery =
      experiments::hand_in(options_.out, experiments::RunId(record.run_id), record.attempt);
  cluster::failpoint("worker.handed_in");
  if (!delivery.taken) cluster::log_info(kArea, "left in the inbox: " + delivery.busy);
  work_->taken.claim.release();
  work_.reset();
  next_look_ = 0;
  if (record.status == "done") ++finished_here_;
  if (record.status == "failed") {
    ++failed_here_;
    progress_line_.end();
    cluster::log_warning(kArea, "run " + short_id(record.run_id) + ", attempt " +
                                    std::to_string(record.attempt) + " failed (" +
                                    record.cause.kind + "): " + record.cause.message);
  }
}

void Worker::renew(double now) {
  if (now - renewed_ < kLeaseRenewSeconds) return;
  renewed_ = now;
  work_->taken.claim.renew();
}

void Worker::interrupt() {
  if (!work_ || std::exchange(work_->interrupted, true)) return;
  transport_.tell(to_text(CoordinatorMessage(Interrupt{epoch_})));
}

void Worker::stop_agent(int code) {
  transport_.tell(to_text(CoordinatorMessage(Stop{code})));
}

double Worker::seconds_left() const {
  if (!limit_) return std::numeric_limits<double>::infinity();
  return began_ + limit_->ends_in - options_.time_margin - cluster::monotonic_seconds();
}

void Worker::show_progress(double now) {
  std::string text = fmt::format("{} done here", finished_here_);
  if (failed_here_ > 0) text += fmt::format(", {} failed attempts", failed_here_);
  if (work_) {
    const experiments::RunConfig& run = sweep_->runs()[work_->taken.run];
    text += fmt::format("; {} {} {} shots, seed {}: {}", run.method, run.task, run.shots, run.seed,
                        phase_);
  } else {
    text += fmt::format("; waiting for {} runs of others", sweep_->counts().elsewhere);
  }
  progress_line_.show(text, now);
}

int Worker::finish() const {
  const SharedCounts& counts = sweep_->counts();
  const bool settled = end_ == End::settled;
  if (options_.json) {
    const nlohmann::json summary = {
        {"sweep", prepared_.sweep.name},
        {"total", counts.total},
        {"done", settled ? nlohmann::json(counts.done) : nullptr},
        {"failed", settled ? nlohmann::json(counts.failed) : nullptr},
        {"elsewhere", settled ? nlohmann::json(counts.elsewhere) : nullptr},
        {"done_here", finished_here_},
        {"stopped_by_signal", signal_},
        {"out_of_time", end_ == End::out_of_time}};
    std::cout << summary.dump() << std::endl;
  } else {
    std::cout << finished_here_ << " runs done here";
    if (settled) {
      std::cout << "; of all " << counts.total << ": " << counts.done << " done, " << counts.failed
                << " failed, " << counts.cancelled << " cancelled, " << counts.elsewhere
                << " being computed by other workers";
    }
    std::cout << std::endl;
  }
  if (end_ == End::stopped) return 128 + signal_;
  if (end_ == End::out_of_time) {
    if (started_here_ > 0) return kOutOfTime;
    std::cerr << "marquee: error: " << limit_->source
              << " leaves no run the time to reach a checkpoint" << std::endl;
    return static_cast<int>(cluster::ErrorKind::environment);
  }
  if (prepared_.list.derived() && counts.done == counts.total && !options_.json) {
    const auto differences = analysis::load_differences(options_.out / experiments::kPublishedFile,
                                                        pairs_of(prepared_.list));
    std::cout << "\n" << difference_report(prepared_.list, differences) << std::flush;
  }
  return counts.failed + counts.cancelled > 0 ? kSomeRunsFailed : 0;
}

}  // namespace marquee::orchestrator
