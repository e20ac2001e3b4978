#include "experiments/rebuild.h"

#include <algorithm>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "experiments/ledger.h"
#include "experiments/recovery.h"
#include "experiments/results_folder.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

// The old ledger with its write-ahead log, which belongs to it by name.
fs::path keep_aside(const fs::path& results) {
  const fs::path ledger = results / kLedgerFile;
  if (!fs::exists(ledger)) return {};
  std::string time = cluster::utc_now();
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const fs::path aside = ledger.string() + ".before-" + time;
  for (const char* part : {"-wal", "-shm", ""}) {
    if (fs::exists(ledger.string() + part))
      fs::rename(ledger.string() + part, aside.string() + part);
  }
  cluster::sync_directory(results);
  return aside;
}

// Attempts of a folder, by number: sealed ones, and those that have begun at least.
std::vector<AttemptRecord> attempts_of(const fs::path& folder) {
  std::vector<AttemptRecord> records = scan_attempts(folder);
  for (const int number : attempt_numbers(folder)) {
    const fs::path attempt = attempt_folder_of(folder, number);
    const bool known = std::any_of(records.begin(), records.end(),
                                   [&](const auto& r) { return r.attempt == number; });
    if (known || !fs::exists(attempt / "run.yaml")) continue;
    AttemptRecord begun;
    begun.run_id = folder.filename().string();
    begun.attempt = number;
    begun.status = "running";
    records.push_back(begun);
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.attempt < b.attempt; });
  for (AttemptRecord& record : records) {
    if (record.status != "running") continue;
    if (record.started.empty()) record.started = cluster::utc_now();
    end_cut_off(record);
  }
  return records;
}

// The configuration whose id names the folder: a record's, else a run.yaml.
RunConfig configuration_of(const fs::path& folder, const std::vector<AttemptRecord>& records) {
  for (const AttemptRecord& record : records) {
    RunConfig run;
    try {
      run = record.run.is_object()
                ? run_config_from_json(record.run)
                : load_run(attempt_folder_of(folder, record.attempt) / "run.yaml");
    } catch (const cluster::Error& error) {
      cluster::log_warning("rebuild", folder.string() + ": " + error.what());
      continue;
    }
    if (run_id(run).text() == folder.filename().string()) return run;
  }
  cluster::throw_environment(folder.string() +
                             ": no attempt holds a configuration that has this run id");
}

void take_folder(Ledger& ledger, const fs::path& folder, RebuildReport& report) {
  try {
    [[maybe_unused]] const RunId name(folder.filename().string());  // refuses other names
    const std::vector<AttemptRecord> records = attempts_of(folder);
    const RunConfig run = configuration_of(folder, records);
    ledger.register_run(run);
    for (const AttemptRecord& record : records)
      if (ledger.finish_attempt(record)) ++report.attempts;
    ++report.runs;
  } catch (const cluster::Error& error) {
    if (error.kind() == cluster::ErrorKind::defect) throw;
    cluster::log_warning("rebuild", std::string(error.what()) + "; skipped");
    ++report.skipped;
  }
}

}  // namespace

RebuildReport rebuild(const fs::path& results, const cluster::Lease& lease) {
  RebuildReport report;
  report.kept_aside = keep_aside(results);
  Ledger ledger = Ledger::open(results, lease.epoch());
  std::vector<fs::path> folders;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(results / "runs", none))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  ledger.begin_batch();
  for (const fs::path& folder : folders) take_folder(ledger, folder, report);
  ledger.commit_batch();
  const fs::path published = results / kPublishedFile;
  if (!fs::exists(published) || !ledger.adopt(published, report.from_published)) {
    cluster::log_warning("rebuild", published.string() +
                                        ": cannot be read; sweeps are unknown until they are "
                                        "started again");
  }
  ledger.add_event("rebuilt", "",
                   std::to_string(report.runs) + " runs and " + std::to_string(report.attempts) +
                       " attempts from their folders, " + std::to_string(report.from_published) +
                       " runs from the published copy, " + std::to_string(report.skipped) +
                       " folders skipped");
  ledger.publish();
  return report;
}

}  // namespace marquee::experiments
