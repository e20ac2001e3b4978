#include "orchestrator/sweep/shared_sweep.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "experiments/claim.h"
#include "experiments/results_folder.h"
#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/run_history.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using experiments::RunId;
using nlohmann::json;

}  // namespace

SharedSweep::SharedSweep(fs::path results, std::vector<experiments::RunConfig> runs,
                         std::string since, std::string machine, double stale_after_seconds)
    : results_(std::move(results)),
      runs_(std::move(runs)),
      since_(std::move(since)),
      machine_(std::move(machine)),
      stale_after_seconds_(stale_after_seconds),
      order_(plan_runs(runs_)),
      states_(runs_.size(), State::open) {
  sort_for_start(order_);
  counts_.total = runs_.size();
}

void SharedSweep::refuse_coordinator() {
  const cluster::LeaseRecord holder = cluster::read_lease(results_);
  const bool is_free = cluster::is_free(holder, folder_watch_, stale_after_seconds_);
  if (is_free || holder.role != experiments::kSweepRole) return;
  throw cluster::Error(cluster::ErrorKind::busy,
                       "results folder " + results_.string() + " is held by " +
                           cluster::describe(holder) +
                           ", the coordinator of a sweep, which gives out its runs itself; wait "
                           "for it to end, or use another --out");
}

void SharedSweep::refresh() {
  const fs::path database = results_ / experiments::kPublishedFile;
  if (!fs::exists(database)) return;
  try {
    const json rows = analysis::query_rows(
        database, "SELECT run_id, status, coalesce(rerun_after, 0) AS after FROM runs");
    for (const json& row : rows) {
      known_[row.at("run_id").get<std::string>()] = {row.at("status").get<std::string>(),
                                                     row.at("after").get<int>()};
    }
    if (!times_) times_ = read_times(results_, machine_);
  } catch (const cluster::Error& error) {
    // What is published is a help; claims and sealed attempts decide.
    cluster::log_warning("work", error.what());
  }
}

bool SharedSweep::used_up(const std::vector<experiments::AttemptRecord>& attempts,
                          int after) const {
  std::map<FailureKind, int> failures;
  for (const experiments::AttemptRecord& record : attempts) {
    if (record.status != "failed" || record.attempt <= after || record.started < since_) continue;
    const FailureKind kind = failure_kind(record.cause.kind);
    if (++failures[kind] >= attempts_allowed(kind)) return true;
  }
  return false;
}

int SharedSweep::wanted_after(const std::string& run_id) const {
  const auto known = known_.find(run_id);
  return known == known_.end() || known->second.status == "done" ? 0 : known->second.rerun_after;
}

SharedSweep::State SharedSweep::state_of(std::size_t place) const {
  const RunId id(order_[place].run_id);
  const int after = wanted_after(id.text());
  const std::vector<experiments::AttemptRecord> attempts =
      experiments::scan_attempts(experiments::run_dir(results_, id));
  for (const experiments::AttemptRecord& record : attempts)
    if (record.status == "done" && record.attempt > after) return State::done;
  const auto known = known_.find(id.text());
  if (known != known_.end() && known->second.status == "cancelled") return State::cancelled;
  return used_up(attempts, after) ? State::failed : State::open;
}

SharedSweep::Look SharedSweep::look_at(std::size_t place, double seconds_left) {
  const RunId id(order_[place].run_id);
  if (const auto known = known_.find(id.text());
      known != known_.end() && known->second.status == "done") {
    states_[place] = State::done;
    return Look::over;
  }
  const cluster::LeaseRecord holder =
      cluster::read_lease_file(experiments::claim_file(results_, id));
  cluster::LeaseWatch& watch = watches_[id.text()];
  if (!cluster::is_free(holder, watch, stale_after_seconds_)) {
    all_living_ = all_living_ && (cluster::lives_here(holder) || watch.has_moved());
    return Look::elsewhere;
  }
  states_[place] = state_of(place);
  if (states_[place] != State::open) return Look::over;
  const auto expected = times_ ? times_->predict(runs_[order_[place].position]) : std::nullopt;
  if (expected && expected->to_checkpoint > seconds_left) return Look::late;
  return Look::open;
}

std::optional<SharedSweep::Taken> SharedSweep::take_next(double seconds_left) {
  refuse_coordinator();
  refresh();
  all_living_ = true;
  SharedCounts counts;
  counts.total = runs_.size();
  for (std::size_t place = 0; place < order_.size(); ++place) {
    Look look = Look::over;
    if (states_[place] == State::open || states_[place] == State::cancelled)
      look = look_at(place, seconds_left);
    if (look == Look::open) {
      const RunId id(order_[place].run_id);
      auto claim = experiments::try_claim(results_, id, watches_[id.text()], stale_after_seconds_);
      // A coordinator that has come since sees the claim, or is seen here.
      if (claim) refuse_coordinator();
      // Somebody may have finished it between the look and the claim.
      if (claim) states_[place] = state_of(place);
      if (claim && states_[place] == State::open) {
        const int attempt = experiments::claim_attempt(results_, id);
        return Taken{order_[place].position, id.text(), attempt, wanted_after(id.text()),
                     std::move(*claim)};
      }
      look = claim ? Look::over : Look::elsewhere;
      if (!claim) all_living_ = false;
    }
    if (look == Look::elsewhere) ++counts.elsewhere;
    if (look == Look::late) ++counts.late;
    if (look != Look::over) continue;
    if (states_[place] == State::done) ++counts.done;
    if (states_[place] == State::failed) ++counts.failed;
    if (states_[place] == State::cancelled) ++counts.cancelled;
  }
  counts_ = counts;
  return std::nullopt;
}

}  // namespace marquee::orchestrator
