#include "orchestrator/commands/rerun_slurm.h"

#include <algorithm>
#include <iostream>

#include "cluster/durable_file.h"
#include "orchestrator/commands/change_runs.h"
#include "orchestrator/commands/choose_runs.h"
#include "orchestrator/commands/slurm_parts.h"
#include "orchestrator/commands/sweep_options.h"
#include "orchestrator/slurm/slurm_options.h"
#include "orchestrator/slurm/slurm_submit.h"
#include "orchestrator/sweep/run_list.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// Of the command line, for the results folder by its whole path.
SweepOptions options_from(const po::variables_map& values, const fs::path& results) {
  SweepOptions options = sweep_options_from(values);
  options.out = results;
  return options;
}

// The job that computes a list of runs; its name comes from their ids and from what was set.
BatchJob job_for(const RunList& list, const SweepOptions& options,
                 const po::variables_map& values) {
  std::vector<std::string> ids;
  for (const experiments::RunConfig& run : list.runs)
    ids.push_back(experiments::run_id(run).text());
  std::sort(ids.begin(), ids.end());
  std::string identity = list.derived() ? "derived\n" : "rerun\n";
  for (const std::string& id : ids) identity += id + "\n";
  BatchJob job = batch_job_from(values, threads_of(list.runs));
  job.title = (list.derived() ? "runs derived with " + set_text(list) + ", " : "runs again, ") +
              std::to_string(ids.size()) + (ids.size() == 1 ? " run" : " runs");
  const std::string label = list.derived() ? "set" : "rerun";
  const fs::path folder = job_folder(options.out, job_name(options.out, label, identity));
  complete_job(job, options, label, identity, {"--run-list", (folder / "runs.json").string()});
  return job;
}

int submit(const RunList& list, const BatchJob& job, const SweepOptions& options,
           const po::variables_map& values) {
  if (values.count("print") == 0) {
    cluster::create_directories_durably(job.folder);
    write_run_list(job.folder / "runs.json", list);
  }
  return submit_or_print(job, options, values);
}

}  // namespace

void add_rerun_slurm(CommandLine& line) {
  line.options.add_options()                                                                   //
      ("slurm", "compute them as a job of this Slurm cluster (marquee slurm status, cancel)")  //
      ("print", "with --slurm: show the script, want and submit nothing");
  po::options_description job("With --slurm");
  add_slurm_options(job);
  line.options.add(job);
}

int submit_rerun(const po::variables_map& values) {
  const std::string out = values["out"].as<std::string>();
  const fs::path database = published_results(out);
  const fs::path results = fs::canonical(out);
  const SweepOptions options = options_from(values, results);
  const RunList list{configurations(database, chosen_runs(database, values, false))};
  const BatchJob job = job_for(list, options, values);
  const bool print = values.count("print") > 0;
  // What is in the queue computes them; to want them once more would have it do so twice.
  if (!print) cluster::require_slurm();
  if (!print && fs::exists(job.folder / "job.json") &&
      !is_over(report_on(results, read_job(results, job.name)).standing))
    return submit(list, job, options, values);
  if (!print) {
    const ChangedRuns changed = change_runs("rerun", values, false, false);
    if (!changed.holder.empty()) {
      std::cout << outcome_text("wanted again", changed) << "\n"
                << "its coordinator computes them; no job is submitted\n";
      return 0;
    }
  }
  return submit(list, job, options, values);
}

int submit_derived(const DerivedPlan& plan, const po::variables_map& values) {
  const SweepOptions options = options_from(values, plan.results);
  if (values.count("print") == 0 && values.count("json") == 0)
    std::cout << counts_text(plan) << std::flush;
  return submit(plan.derived.list, job_for(plan.derived.list, options, values), options, values);
}

}  // namespace marquee::orchestrator
