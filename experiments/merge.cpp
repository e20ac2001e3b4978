#include "experiments/merge.h"

#include <algorithm>
#include <map>
#include <optional>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/evaluation_record.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortHash = 8;

std::vector<fs::path> run_folders(const fs::path& source) {
  std::vector<fs::path> folders;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(source / "runs", none))
    if (entry.is_directory() && !entry.is_symlink()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<AttemptRecord> sealed(const fs::path& run_folder,
                                  std::vector<std::string>* refused = nullptr) {
  std::vector<AttemptRecord> records = scan_attempts(run_folder, refused);
  std::erase_if(records, [](const AttemptRecord& record) { return record.status == "running"; });
  return records;
}

// The configuration that its attempts tell, if it has the id of the folder.
std::optional<RunConfig> configuration_in(const std::vector<AttemptRecord>& records,
                                          const std::string& id) {
  for (const AttemptRecord& record : records) {
    if (!record.run.is_object()) continue;
    RunConfig run = run_config_from_json(record.run);
    if (run_id(run).text() == id) return run;
  }
  return std::nullopt;
}

// The same try, whatever number and epoch it got in its folder.
bool same_try(const AttemptRecord& a, const AttemptRecord& b) {
  if (a.status != b.status || a.started != b.started || a.ended != b.ended || a.host != b.host)
    return false;
  if (a.result.has_value() != b.result.has_value()) return false;
  return !a.result || a.result->result_sha256 == b.result->result_sha256;
}

// In what two results of one configuration differ; "" where they are the same.
std::string differences(const ResultRecord& ours, const ResultRecord& theirs) {
  std::vector<std::string> names;
  if (ours.prompt_sha256 != theirs.prompt_sha256) names.emplace_back("prompt_sha256");
  if (ours.tokens_sha256 != theirs.tokens_sha256) names.emplace_back("tokens_sha256");
  using Key = std::pair<std::string, std::string>;
  std::map<Key, const MetricValue*> known;
  for (const MetricValue& metric : ours.metrics) known[{metric.metric, metric.protocol}] = &metric;
  for (const MetricValue& metric : theirs.metrics) {
    const auto found = known.find({metric.metric, metric.protocol});
    if (found == known.end() || !(*found->second == metric)) names.push_back(metric.metric);
    if (found != known.end()) known.erase(found);
  }
  for (const auto& [key, metric] : known) names.push_back(key.first);
  return cluster::join(names);
}

void copy_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error)
    cluster::throw_environment(to.string() + ": cannot be written (" + error.message() + ")");
  cluster::sync_file(to);
}

class Merger {
 public:
  Merger(BriefHold& hold, fs::path target, fs::path source, const MergeOptions& options)
      : hold_(hold), target_(std::move(target)), source_(std::move(source)), options_(options) {}

  void take_run(const fs::path& folder) {
    ++report_.runs;
    try {
      const RunId id(folder.filename().string());
      std::vector<std::string> refused;
      const std::vector<AttemptRecord> theirs = sealed(folder, &refused);
      for (const std::string& problem : refused)
        report_.left_out.push_back(cluster::printable(problem));
      if (theirs.empty()) return;
      const std::optional<RunConfig> run = configuration_in(theirs, id.text());
      if (!run) {
        cluster::throw_environment("no attempt holds a configuration that has this run id");
      }
      if (!options_.dry_run && !hold_.ledger().has_run(id.text()))
        hold_.ledger().register_run(*run);
      std::vector<AttemptRecord> ours = sealed(run_dir(target_, id));
      for (const AttemptRecord& record : theirs) take_attempt(folder, id, record, ours);
    } catch (const cluster::Error& error) {
      if (error.kind() == cluster::ErrorKind::defect || error.kind() == cluster::ErrorKind::busy)
        throw;
      leave_out(folder, error);
    }
  }

  void take_sweep(const SweepFile& sweep, const std::map<std::string, std::string>& known) {
    SweepFile taken = sweep;
    const auto ours = known.find(sweep.name);
    if (ours != known.end() && ours->second != sweep.sha256) {
      taken.name += "." + sweep.sha256.substr(0, kShortHash);
      report_.renamed_sweeps.push_back(sweep.name + " -> " + taken.name);
    }
    ++report_.sweeps;
    if (!options_.dry_run) hold_.ledger().register_sweep(taken);
  }

  void take_evaluation(const std::string& id) {
    if (hold_.ledger().has_evaluation(id)) return;
    try {
      const EvaluationRecord evaluation = read_evaluation(source_, id);
      ++report_.evaluations;
      if (options_.dry_run) return;
      write_evaluation(target_, evaluation);
      hold_.ledger().enter_evaluation(evaluation);
    } catch (const cluster::Error& error) {
      if (error.kind() == cluster::ErrorKind::defect) throw;
      leave_out(source_ / "evaluations" / id, error);
    }
  }

  MergeReport& report() { return report_; }

 private:
  void leave_out(const fs::path& what, const cluster::Error& error) {
    report_.left_out.push_back(cluster::printable(what.string() + ": " + error.what()));
  }

  void take_attempt(const fs::path& folder, const RunId& id, const AttemptRecord& record,
                    std::vector<AttemptRecord>& ours) {
    const auto same = std::find_if(ours.begin(), ours.end(), [&](const AttemptRecord& known) {
      return same_try(known, record);
    });
    if (same != ours.end()) {
      ++report_.same;
      // It may have been copied by a merge that was cut off before it was entered.
      if (!options_.dry_run) hold_.ledger().finish_attempt(*same);
      return;
    }
    if (record.status == "done" && settled(id, record, ours)) return;
    ++report_.attempts;
    if (options_.dry_run) return;
    const fs::path from = attempt_folder_of(folder, record.attempt);
    // A simulated run has numbers alone.
    if (record.status == "done" && record.run.value("base_hash", "") != kSimulatedHash &&
        cluster::check_seal(from / "result.h5") != record.result->result_sha256)
      cluster::throw_environment((from / "result.h5").string() +
                                 ": is not the file that attempt.json names");
    AttemptRecord taken = record;
    taken.attempt = claim_attempt(target_, id);
    taken.epoch = hold_.ledger().epoch();
    taken.claim = 0;
    taken.rerun_of = 0;
    const fs::path to = attempt_dir(target_, id, taken.attempt);
    create_attempt_folder(to);
    for (const auto& file : fs::directory_iterator(from)) {
      const std::string name = file.path().filename().string();
      if (file.is_regular_file() && !file.is_symlink() && name != "attempt.json" &&
          !name.starts_with("checkpoint-"))
        copy_durably(file.path(), to / name);
    }
    cluster::sync_directory(to);
    write_attempt(to, taken);
    hold_.ledger().finish_attempt(taken);
    ours.push_back(taken);
  }

  // Whether both have finished the run and nothing is to be taken.
  bool settled(const RunId& id, const AttemptRecord& record,
               const std::vector<AttemptRecord>& ours) {
    std::string differs;
    bool finished = false;
    for (const AttemptRecord& known : ours) {
      if (known.status != "done" || !known.result) continue;
      finished = true;
      differs = differences(*known.result, *record.result);
      if (differs.empty()) {
        ++report_.agreeing;
        return true;
      }
    }
    if (!finished) return false;
    report_.conflicts.push_back({id.text(), differs});
    if (options_.take_conflicts) return false;
    if (!options_.dry_run) {
      hold_.ledger().add_event(
          "merge_conflict", id.text(),
          "another folder has another result, which was not taken: " + differs);
    }
    return true;
  }

  BriefHold& hold_;
  fs::path target_, source_;
  MergeOptions options_;
  MergeReport report_;
};

}  // namespace

MergeReport merge(BriefHold& hold, const fs::path& target, const fs::path& source,
                  const std::vector<SweepFile>& sweeps, const MergeOptions& options,
                  const std::function<void(std::size_t, std::size_t)>& told) {
  const std::vector<fs::path> folders = run_folders(source);
  if (folders.empty() && sweeps.empty() && stored_evaluations(source).empty())
    cluster::throw_environment(source.string() + ": holds no results (no runs/, no evaluations/)");
  Merger merger(hold, target, source, options);
  const std::map<std::string, std::string> known = hold.ledger().sweep_hashes();
  for (const fs::path& folder : folders)
    if (!hold.ledger().has_run(folder.filename().string())) ++merger.report().new_runs;
  for (const SweepFile& sweep : sweeps) merger.take_sweep(sweep, known);
  for (std::size_t i = 0; i < folders.size(); ++i) {
    hold.renew();
    merger.take_run(folders[i]);
    told(i + 1, folders.size());
  }
  for (const std::string& id : stored_evaluations(source)) merger.take_evaluation(id);
  MergeReport& report = merger.report();
  if (!options.dry_run) {
    hold.ledger().add_event("merged", "",
                            std::to_string(report.attempts) + " attempts taken, " +
                                std::to_string(report.agreeing) + " runs finished by both alike, " +
                                std::to_string(report.conflicts.size()) + " otherwise");
    hold.publish();
  }
  return report;
}

}  // namespace marquee::experiments
