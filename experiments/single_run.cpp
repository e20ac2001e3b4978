#include "experiments/single_run.h"

#include "cluster/host.h"
#include "cluster/lease.h"

namespace marquee::experiments {

namespace fs = std::filesystem;

SingleRun::SingleRun(fs::path results, const RunConfig& run)
    : results_(std::move(results)),
      id_(run_id(run)),
      epoch_(cluster::read_lease(results_).epoch),
      attempt_(claim_attempt(results_, id_)) {
  create_attempt_folder(folder());
  AttemptRecord record;
  record.run_id = id_.text();
  record.attempt = attempt_;
  record.epoch = epoch_;
  record.status = "running";
  record.started = cluster::utc_now();
  record.host = cluster::host_name();
  record.run = to_json(run);
  note_start(folder(), record);
}

fs::path SingleRun::folder() const {
  return attempt_dir(results_, id_, attempt_);
}

Delivery SingleRun::hand_in() const {
  return experiments::hand_in(results_, id_, attempt_);
}

std::optional<AttemptRecord> finished_attempt(const fs::path& results, const RunId& run) {
  const fs::path folder = run_dir(results, run);
  const int newest = newest_finished(folder);
  if (newest == 0) return std::nullopt;
  return read_attempt(attempt_dir(results, run, newest));
}

Delivery hand_in(const fs::path& results, const RunId& run, int attempt) {
  InboxEntry entry;
  entry.kind = "attempt";
  entry.runs = {run.text()};
  entry.attempt = attempt;
  return deliver(results, entry);
}

}  // namespace marquee::experiments
