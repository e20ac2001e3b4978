#include "experiments/recovery.h"

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {

void end_cut_off(AttemptRecord& record) {
  record.status = "interrupted";
  record.ended = cluster::utc_now();
  record.cause.kind = "interrupted";
  record.cause.message = "cut off with the coordinator that had started it";
}

RecoveryReport recover(Ledger& ledger, const std::filesystem::path& results) {
  RecoveryReport report;
  for (const RunState& state : ledger.states("")) {
    for (const AttemptRecord& record : scan_attempts(run_dir(results, RunId(state.run_id)))) {
      if (record.status != "running" && ledger.finish_attempt(record)) ++report.taken_in;
    }
  }
  for (const std::string& id : stored_evaluations(results)) {
    if (ledger.has_evaluation(id)) continue;
    try {
      ledger.enter_evaluation(read_evaluation(results, id));
    } catch (const cluster::Error& error) {
      if (error.kind() != cluster::ErrorKind::environment) throw;
      cluster::log_warning("recovery", error.what());
    }
  }
  for (const auto& [run, attempt] : ledger.stale_attempts()) {
    AttemptRecord record;
    record.run_id = run;
    record.attempt = attempt;
    end_cut_off(record);
    ledger.finish_attempt(record);
    ++report.interrupted;
  }
  if (report.taken_in + report.interrupted > 0) {
    ledger.add_event("recovery", "",
                     std::to_string(report.taken_in) + " sealed attempts taken in, " +
                         std::to_string(report.interrupted) + " cut off");
  }
  return report;
}

}  // namespace marquee::experiments
