// marquee rerun: a new attempt of runs that are done, failed or cancelled; with --set, runs derived
// from them.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "experiments/results_folder.h"
#include "orchestrator/commands/change_runs.h"
#include "orchestrator/commands/choose_runs.h"
#include "orchestrator/commands/rerun_set.h"
#include "orchestrator/commands/rerun_slurm.h"
#include "orchestrator/sweep/launch.h"
#include "orchestrator/sweep/run_list.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using nlohmann::json;

CommandLine rerun_line() {
  CommandLine line;
  line.usage =
      "marquee rerun --out DIR (RUN... | --where SQL) [--set KEY=VALUE]... [--workers N] [options]";
  line.text =
      "Wants a new attempt of runs that are done, failed or cancelled. A finished run is computed\n"
      "anew, from no checkpoint; its values stay until the new attempt is done, whose values "
      "count\n"
      "then; where they differ, event rerun_mismatch says so. RUN is a run id or the first four "
      "or\n"
      "more of its digits. While a sweep runs, its coordinator takes the runs up; else they wait\n"
      "for the next sweep, or for --workers.\n\n"
      "With --set the chosen runs stay as they are, and runs are derived from them that differ in "
      "the\n"
      "keys that are set: one ablation again with other values. At the end, and whenever all of "
      "them\n"
      "are done, their difference to the first is printed.\n\n"
      "  marquee rerun --out results --where \"task = 'dtd' AND prompt_length = 128\" --dry-run\n"
      "  marquee rerun --out results 3f2a91c0 --workers 2 --data TFDS_FOLDER\n"
      "  marquee rerun --out results --where \"task = 'dtd'\" --set prompt_length=64 --workers 2\n"
      "  marquee rerun --out results --where \"task = 'dtd'\" --slurm --gpus-per-node 1 --time "
      "4:00:00";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("workers,n", po::value<int>()->default_value(0),
       "compute them now with this many agents on this machine (default: enter the wish only)")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "with --workers or --set: TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "with --workers or --set: base models")  //
      ("stage", po::value<std::string>()->value_name("DIR[:SIZE]")->default_value(""),
       "with --workers: as of sweep")                                                         //
      ("slots-per-host", po::value<int>()->default_value(0), "with --workers: as of sweep")   //
      ("simulate", "with --workers or --set: no-op trainers, for runs of a simulated sweep")  //
      ("dry-run", "list the runs and change nothing")                                         //
      ("quiet,q", "with --workers: no progress on standard error")                            //
      ("json", "one object with the runs and what became of the request");
  add_choice(line);
  add_set(line);
  add_rerun_slurm(line);
  return line;
}

// The sweeps that the runs belong to, as commands that compute them.
std::vector<std::string> commands_for(const ChangedRuns& changed, const std::string& out) {
  const json rows = analysis::query_rows(
      changed.results / experiments::kPublishedFile,
      "SELECT s.file AS file, m.run_id AS run_id FROM sweep_runs m JOIN sweeps s USING (sweep) "
      "ORDER BY s.rowid");
  std::vector<std::string> commands;
  for (const json& row : rows) {
    const bool wanted = std::find(changed.changed.begin(), changed.changed.end(),
                                  row.at("run_id").get<std::string>()) != changed.changed.end();
    const std::string command =
        "marquee sweep " + row.at("file").get<std::string>() + " --out " + out;
    if (wanted && std::find(commands.begin(), commands.end(), command) == commands.end())
      commands.push_back(command);
  }
  return commands;
}

int compute_now(const fs::path& results, const RunList& runs, const po::variables_map& values) {
  const fs::path list = results / (".rerun-" + std::to_string(getpid()) + ".json");
  write_run_list(list, runs);
  Arguments sweep{"sweep", "--run-list", list.string(), "--out", results.string()};
  for (const char* name : {"data", "assets", "stage"}) {
    const std::string value = values[name].as<std::string>();
    if (!value.empty()) sweep.insert(sweep.end(), {std::string("--") + name, value});
  }
  sweep.insert(sweep.end(),
               {"--slots-per-host", std::to_string(values["slots-per-host"].as<int>())});
  for (const char* name : {"simulate", "quiet", "json"})
    if (values.count(name) > 0) sweep.push_back(std::string("--") + name);
  int code = 0;
  try {
    code = run_under_mpirun(sweep, values["workers"].as<int>());
  } catch (const std::exception&) {
    fs::remove(list);
    throw;
  }
  fs::remove(list);
  return code;
}

void tell(const ChangedRuns& changed, const std::string& out) {
  std::cout << outcome_text("wanted again", changed) << "\n";
  if (!changed.holder.empty() || changed.changed.empty()) return;
  const std::vector<std::string> commands = commands_for(changed, out);
  if (!commands.empty()) std::cout << "to compute them:\n";
  for (const std::string& command : commands) std::cout << "  " << command << " [--data DIR]\n";
  if (commands.empty())
    std::cout << "they belong to no sweep; marquee rerun --workers N computes such runs\n";
}

// The runs that --set derives: computed with `workers`, or shown; their difference once all are
// done.
int rerun_changed(const po::variables_map& values, int workers, bool dry_run) {
  const DerivedPlan plan = plan_derived(values);
  if (values.count("slurm") > 0 && !dry_run && !plan.all_done())
    return submit_derived(plan, values);
  const bool as_json = values.count("json") > 0;
  const bool compute = workers > 0 && !dry_run && !plan.all_done();
  if (as_json && !compute) {
    std::cout << json_of(plan, dry_run).dump(-1, ' ', false, json::error_handler_t::replace)
              << "\n";
    return 0;
  }
  if (dry_run) std::cout << runs_text(plan);
  (as_json ? std::cerr : std::cout) << counts_text(plan) << std::flush;
  if (compute) return compute_now(plan.results, plan.derived.list, values);
  if (dry_run) return 0;
  if (!plan.all_done()) {
    std::cout << runs_text(plan)
              << "to compute them and see the difference: the same command with --workers N, or "
                 "--slurm\n";
    return 0;
  }
  const auto differences = analysis::load_differences(plan.results / experiments::kPublishedFile,
                                                      pairs_of(plan.derived.list));
  std::cout << "\n" << difference_report(plan.derived.list, differences);
  return 0;
}

}  // namespace

int rerun_command(const Arguments& arguments) {
  CommandLine line = rerun_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const bool dry_run = values.count("dry-run") > 0;
  const int workers = values["workers"].as<int>();
  if (workers < 0)
    cluster::throw_usage("--workers must be at least 1, not " + std::to_string(workers));
  if (values.count("slurm") > 0 && workers > 0)
    cluster::throw_usage("--workers computes here, --slurm on a cluster: one of them");
  if (values.count("print") > 0 && values.count("slurm") == 0)
    cluster::throw_usage("--print shows the script of --slurm");
  if (values.count("set") > 0) return rerun_changed(values, workers, dry_run);
  if (values.count("slurm") > 0 && !dry_run) return submit_rerun(values);
  const ChangedRuns changed = change_runs("rerun", values, false, dry_run);
  if (workers > 0 && !dry_run && changed.holder.empty() && !changed.changed.empty())
    return compute_now(changed.results, {changed.configurations}, values);
  if (values.count("json") > 0) {
    std::cout << json_of("rerun", changed, dry_run) << "\n";
  } else if (dry_run) {
    print_runs(changed.results, changed.chosen);
  } else {
    tell(changed, values["out"].as<std::string>());
  }
  return 0;
}

}  // namespace marquee::orchestrator
