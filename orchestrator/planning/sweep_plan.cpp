#include "orchestrator/planning/sweep_plan.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cluster/host.h"
#include "datasets/few_shot.h"
#include "datasets/shots.h"
#include "experiments/base_manifest.h"
#include "experiments/checkpoint_files.h"
#include "experiments/run_folder.h"
#include "experiments/run_size.h"
#include "orchestrator/human.h"
#include "orchestrator/planning/plan_data.h"
#include "orchestrator/planning/probe.h"
#include "orchestrator/scheduling/makespan.h"
#include "orchestrator/sweep/run_history.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using experiments::RunConfig;

constexpr std::int64_t kKilobyte = 1024, kMegabyte = kKilobyte * kKilobyte;
constexpr std::int64_t kAgentBytes = 30 * kMegabyte;             // an MPI rank of ours
constexpr std::int64_t kSimulatedTrainerBytes = 16 * kMegabyte;  // a no-op trainer
constexpr std::int64_t kSimulatedFilesBytes = 32 * kKilobyte;    // what it leaves of a run
constexpr int kCheckpointsInFlight = 3;  // the last two and the one being written

class Planner {
 public:
  explicit Planner(const PlanOptions& options)
      : options_(options),
        statuses_(read_statuses(options.sweep.out)),
        times_(read_times(options.sweep.out, machine_here(options.sweep.simulate))) {}

  SweepPlan make() {
    sweep_ = experiments::load_sweep(options_.sweep.file, options_.sweep.subset);
    plan_.sweep = sweep_.name;
    plan_.subset = options_.sweep.subset;
    plan_.out = options_.sweep.out.string();
    look_at_inputs();
    look_at_runs();
    plan_.workers = workers_for(options_.sweep, sweep_);
    predict_times();
    predict_memory();
    predict_disk();
    return std::move(plan_);
  }

 private:
  void look_at_inputs() {
    if (options_.sweep.simulate) {
      experiments::mark_simulated(sweep_);
      return;
    }
    data_ = options_.sweep.data;
    if (!data_.empty() && !fs::is_directory(data_)) {
      plan_.missing.push_back({"data", data_.string(), "no data folder at " + data_.string(),
                               "name a folder of TFDS data sets with --data"});
      data_.clear();
    }
    try {
      assets_ = experiments::find_assets_dir(options_.sweep.assets);
    } catch (const cluster::Error& error) {
      plan_.missing.push_back({"base", "assets", error.what(), "name it with --assets"});
    }
    for (auto& missing : experiments::resolve_what_is_there(sweep_, assets_, data_))
      plan_.missing.push_back(std::move(missing));
    look_at_data();
    try {
      trainer_ = find_trainer();
    } catch (const cluster::Error& error) {
      plan_.missing.push_back({"trainer", "marquee-trainer", error.what(),
                               "build it, or name one with MARQUEE_TRAINER"});
    }
  }

  // A user's own folder may be too small to compare with.
  void look_at_size(const RunConfig& run) {
    constexpr std::int64_t kFewest = 6;  // what the manifold metrics need
    const std::int64_t images = data_facts_->counts(run).test;
    if (images >= kFewest) return;
    plan_.missing.push_back({"data", run.task,
                             "task '" + run.task + "' has " + std::to_string(images) +
                                 " test images; metrics need " + std::to_string(kFewest),
                             "add images: a tenth of each class is the test split"});
  }

  // Whether every class has as many images as the run takes.
  void look_at_shots(const RunConfig& run) {
    const int shots = datasets::shots_per_class(run.shots);
    if (shots == 0) return;
    try {
      if (const std::vector<int>* labels = data_facts_->training_labels(run)) {
        datasets::select_few_shot(*labels, experiments::num_classes(run), shots, run.seed);
      } else {
        too_large_.insert(run.task);
      }
    } catch (const cluster::Error& error) {
      plan_.missing.push_back({"data", run.task, error.what(),
                               "fewer shots for this task, or leave it out (exclude)",
                               error.kind()});
    }
  }

  // What runs take of data that are there.
  void look_at_data() {
    const fs::path cache = options_.sweep.out / "cache";
    data_facts_.emplace(data_, fs::is_directory(cache) ? cache : fs::path());
    std::set<std::string> sized, mirrored;
    std::set<std::pair<std::string, std::string>> drawn_from;  // task and shots
    for (const RunConfig& run : sweep_.runs) {
      if (run.data_hash.empty()) continue;
      const datasets::TaskInfo& task = datasets::find_task(run.task);
      if (task.group == datasets::TaskGroup::own && sized.insert(run.task).second)
        look_at_size(run);
      if (!experiments::trains(run)) continue;
      if (datasets::flips(task, run.flip) && !task.mirrors_keep_label) mirrored.insert(run.task);
      if (drawn_from.insert({run.task, run.shots}).second) look_at_shots(run);
    }
    for (const std::string& task : too_large_)
      plan_.notes.push_back(task +
                            ": too large to count its labels here; marquee data inspect does");
    for (const std::string& task : mirrored) {
      plan_.notes.push_back(
          task +
          ": half of the training images are mirrored, as the official code does, although that "
          "changes what they show; 'tasks: {" +
          task + ": {flip: false}}' turns it off");
    }
  }

  void look_at_runs() {
    for (const RunConfig& run : sweep_.runs) {
      RunPlan entry;
      entry.run = run;
      entry.status = "pending";
      if (!run.data_hash.empty()) {
        entry.run_id = experiments::run_id(run).text();
        const auto known = statuses_.find(entry.run_id);
        if (known != statuses_.end()) entry.status = known->second;
      }
      if (entry.status == "done") {
        ++plan_.done;
      } else if (entry.status == "cancelled") {
        ++plan_.cancelled;
      } else {
        ++plan_.to_do;
        if (entry.status == "failed") ++plan_.failed;
        look_for_checkpoint(entry);
      }
      plan_.runs.push_back(std::move(entry));
    }
  }

  void look_for_checkpoint(RunPlan& entry) {
    if (entry.run_id.empty() || !experiments::trains(entry.run)) return;
    const auto newest = experiments::newest_valid_checkpoint(
        experiments::run_dir(options_.sweep.out, experiments::RunId(entry.run_id)));
    if (!newest) return;
    entry.resume_step = newest->step;
    ++plan_.resumable;
  }

  std::vector<RunPlan*> to_do() {
    std::vector<RunPlan*> entries;
    for (RunPlan& entry : plan_.runs)
      if (entry.status != "done" && entry.status != "cancelled") entries.push_back(&entry);
    return entries;
  }

  // Whether finished runs or a probe can tell.
  bool predict(RunPlan& entry) {
    const auto prediction = times_.predict(entry.run, entry.resume_step);
    if (!prediction) return false;
    entry.seconds = prediction->seconds;
    entry.basis = std::to_string(prediction->finished_runs) + " runs, " + prediction->likeness +
                  (prediction->same_machine ? "" : ", of another machine");
    measured_bytes_ = std::max(measured_bytes_, prediction->peak_bytes);
    return true;
  }

  void predict_times() {
    std::vector<RunPlan*> unknown;
    for (RunPlan* entry : to_do()) {
      if (!predict(*entry)) unknown.push_back(entry);
    }
    const bool from_history = unknown.size() < plan_.to_do;
    const bool probed = probe_for(unknown);
    std::map<std::string, double> seconds;
    std::vector<RunConfig> known;
    for (const RunPlan* entry : to_do()) {
      if (!entry->seconds) {
        ++plan_.without_prediction;
        continue;
      }
      seconds[experiments::run_id(entry->run).text()] = *entry->seconds;
      known.push_back(entry->run);
    }
    std::vector<PlannedRun> planned = plan_runs(known);
    for (PlannedRun& run : planned) {
      run.cost = seconds.at(run.run_id);
      run.kind = 0;  // what is left of runs of a kind differs
    }
    plan_.known_seconds = makespan(planned, seconds, plan_.workers).seconds;
    if (from_history) plan_.time_basis = "finished runs";
    if (probed) plan_.time_basis += plan_.time_basis.empty() ? "a probe" : " and a probe";
  }

  // Probes one run of each kind among `unknown`; true when one gave an answer.
  bool probe_for(const std::vector<RunPlan*>& unknown) {
    if (unknown.empty() || !options_.sweep.probe || trainer_.empty() || assets_.empty())
      return false;
    std::vector<const RunConfig*> runs;
    for (const RunPlan* entry : unknown) runs.push_back(&entry->run);
    const ProbedRuns probed = probe_each(trainer_, runs, assets_, options_.probe_seconds);
    measured_bytes_ = std::max(measured_bytes_, probed.peak_bytes);
    bool any = false;
    for (RunPlan* entry : unknown) {
      const auto prediction = probed.times.predict(entry->run, entry->resume_step);
      if (!prediction) continue;
      any = true;
      entry->seconds = prediction->seconds;
      entry->basis = "probe";
    }
    if (!probed.problem.empty()) plan_.notes.push_back(probed.problem);
    if (any) plan_.notes.push_back("a probe leaves out encoding the images and scoring");
    return any;
  }

  experiments::RunSize size_of(const RunConfig& run) {
    auto [base, new_base] = bases_.try_emplace(run.base);
    if (new_base) {
      try {
        base->second = experiments::load_base_manifest(assets_, run.base);
      } catch (const cluster::Error&) {
        // Among the missing already.
      }
    }
    return experiments::size_of_run(run, base->second, data_facts_->counts(run));
  }

  void predict_memory() {
    plan_.memory_there = cluster::memory_limit_bytes();
    if (plan_.to_do == 0) return;
    if (options_.sweep.simulate) {
      plan_.memory_of_trainer = kSimulatedTrainerBytes;
    } else {
      plan_.memory_measured = measured_bytes_ > 0;
      plan_.memory_of_trainer = measured_bytes_;
      for (const RunPlan* entry : to_do()) {
        if (plan_.memory_measured) break;
        plan_.memory_of_trainer =
            std::max(plan_.memory_of_trainer, size_of(entry->run).memory_bytes);
      }
    }
    const auto at_once =
        std::min<std::int64_t>(plan_.workers, static_cast<std::int64_t>(plan_.to_do));
    plan_.memory_in_all = at_once * (plan_.memory_of_trainer + kAgentBytes) + kAgentBytes;
    if (plan_.memory_in_all <= plan_.memory_there) return;
    const std::string text = "the trainers need about " + human_bytes(plan_.memory_in_all) +
                             ", this machine has " + human_bytes(plan_.memory_there);
    if (plan_.memory_measured) {
      plan_.missing.push_back({"memory", "this machine", text, "start fewer workers"});
    } else {
      plan_.notes.push_back(text + " (worked out from sizes)");
    }
  }

  void predict_disk() {
    plan_.disk_free = cluster::free_disk_bytes(options_.sweep.out);
    std::int64_t largest = 0;
    std::map<std::string, std::int64_t> caches;
    for (const RunPlan* entry : to_do()) {
      if (options_.sweep.simulate) {
        if (sweep_.simulation.files) plan_.disk_needed += kSimulatedFilesBytes;
        continue;
      }
      const RunConfig& run = entry->run;
      const experiments::RunSize size = size_of(run);
      plan_.disk_needed += size.result_bytes + (sweep_.keep.samples ? size.samples_bytes : 0) +
                           std::min(sweep_.keep.checkpoints, 2) * size.checkpoint_bytes;
      largest = std::max(largest, size.checkpoint_bytes);
      caches["features " + run.task] = size.feature_cache_bytes;
      if (size.token_cache_bytes > 0)
        caches["tokens " + run.task + " " + run.shots + " " + std::to_string(run.seed)] =
            size.token_cache_bytes;
    }
    plan_.disk_needed += plan_.workers * kCheckpointsInFlight * largest;
    for (const auto& [name, bytes] : caches) plan_.disk_needed += bytes;
    if (plan_.disk_needed > plan_.disk_free) {
      plan_.missing.push_back(
          {"disk", plan_.out,
           "the sweep needs about " + human_bytes(plan_.disk_needed) + ", " +
               human_bytes(plan_.disk_free) + " are free",
           "make room, name another --out, or keep less (keep: in the sweep file)"});
    }
  }

  const PlanOptions& options_;
  std::map<std::string, std::string> statuses_;  // of earlier runs, by id
  experiments::RunTimeModel times_;              // that they took
  experiments::SweepFile sweep_;
  fs::path assets_, data_, trainer_;
  std::int64_t measured_bytes_ = 0;
  std::set<std::string> too_large_;     // tasks whose labels were not counted
  std::optional<PlanData> data_facts_;  // none where the sweep is simulated
  std::map<std::string, experiments::BaseManifest> bases_;
  SweepPlan plan_;
};

}  // namespace

int SweepPlan::exit_code() const {
  return missing.empty() ? 0 : static_cast<int>(missing.front().kind);
}

SweepPlan make_plan(const PlanOptions& options) {
  return Planner(options).make();
}

}  // namespace marquee::orchestrator
