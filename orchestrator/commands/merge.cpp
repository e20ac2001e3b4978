// marquee merge: the results of other folders, taken over into one.
#include "experiments/merge.h"

#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/text.h"
#include "experiments/results_folder.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/human.h"
#include "orchestrator/sweep/progress_line.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

constexpr int kSomethingLeft = 1;
constexpr std::size_t kMostShown = 20;

CommandLine merge_line() {
  CommandLine line;
  line.usage = "marquee merge SOURCE... --out DIR [--conflicts keep|take] [--dry-run] [--json]";
  line.text =
      "Takes the results of other folders over into DIR, which is made when it is missing: sealed\n"
      "attempts (without checkpoints), sweeps, and evaluations of outside generators. Runs with "
      "the\n"
      "same id are the same run: where both have finished it, hashes and metrics are compared.\n"
      "Nothing in DIR is changed or lost, and the sources are only read. The same command again\n"
      "takes nothing twice.\n\n"
      "  marquee merge /cluster-a/results /cluster-b/results --out results/all\n\n"
      "Exit codes: 0; 1 where results of a run differ (and --conflicts keep left the other's), or\n"
      "something damaged was left out; 75 while somebody else holds DIR.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("conflicts", cluster::one_of({"keep", "take"})->default_value("keep"),
       "a run that both have finished with different results: keep DIR's, or take the other as a "
       "newer attempt, which then counts")                   //
      ("dry-run", "tell what would be taken, take nothing")  //
      ("json", "one object on standard output")              //
      ("quiet,q", "no progress on standard error");
  line.hidden.add_options()("source", po::value<std::vector<std::string>>()->value_name("DIR"),
                            "SOURCE");
  line.positional.add("source", -1);
  return line;
}

// Sweeps and their runs, as the source has published them. Whatever is not what it should be is
// left out with its reason: the file may be anybody's.
std::vector<experiments::SweepFile> sweeps_of(const fs::path& source,
                                              std::vector<std::string>& left_out) {
  std::vector<experiments::SweepFile> sweeps;
  const fs::path database = source / experiments::kPublishedFile;
  if (!fs::exists(database)) return sweeps;
  analysis::QueryLimits limits;
  limits.seconds = 600;
  try {
    std::map<std::string, std::size_t> places;
    for (const json& row :
         analysis::query_rows(database, "SELECT sweep, file, file_sha256 FROM sweeps", limits)) {
      experiments::SweepFile sweep;
      sweep.name = row.at("sweep").get<std::string>();
      sweep.file = row.at("file").get<std::string>();
      sweep.sha256 = row.at("file_sha256").get<std::string>();
      places[sweep.name] = sweeps.size();
      sweeps.push_back(std::move(sweep));
    }
    for (const json& row :
         analysis::query_rows(database,
                              "SELECT s.sweep, r.run_id, r.config FROM sweep_runs s JOIN runs "
                              "r ON r.run_id = s.run_id ORDER BY s.sweep, s.position",
                              limits)) {
      experiments::RunConfig run =
          experiments::run_config_from_json(json::parse(row.at("config").get<std::string>()));
      const std::string id = row.at("run_id").get<std::string>();
      if (experiments::run_id(run).text() != id) {
        left_out.push_back(database.string() + ": run " + cluster::printable(id) +
                           " has a configuration with another id");
        continue;
      }
      const auto sweep = places.find(row.at("sweep").get<std::string>());
      if (sweep != places.end()) sweeps[sweep->second].runs.push_back(std::move(run));
    }
  } catch (const json::exception& error) {
    cluster::throw_environment(database.string() + ": damaged: " + error.what());
  }
  return sweeps;
}

json to_json(const experiments::MergeReport& report, const std::string& source) {
  json conflicts = json::array();
  for (const experiments::MergeConflict& conflict : report.conflicts)
    conflicts.push_back({{"run_id", conflict.run_id}, {"differs", conflict.differs}});
  return {{"source", source},
          {"runs", report.runs},
          {"new_runs", report.new_runs},
          {"attempts", report.attempts},
          {"same", report.same},
          {"agreeing", report.agreeing},
          {"conflicts", conflicts},
          {"sweeps", report.sweeps},
          {"renamed_sweeps", report.renamed_sweeps},
          {"evaluations", report.evaluations},
          {"left_out", report.left_out}};
}

void print_list(const std::string& title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::cout << "  " << title << "\n";
  for (std::size_t i = 0; i < lines.size() && i < kMostShown; ++i)
    std::cout << "    " << cluster::printable(lines[i]) << "\n";
  if (lines.size() > kMostShown)
    std::cout << "    and " << lines.size() - kMostShown << " more (--json has all)\n";
}

void print(const experiments::MergeReport& report, const std::string& source, bool take) {
  std::cout << cluster::printable(source) << ": " << report.runs << " runs (" << report.new_runs
            << " new), " << report.attempts << " attempts taken, " << report.same
            << " there already, " << report.agreeing << " finished by both with the same result; "
            << report.sweeps << " sweeps, " << report.evaluations << " evaluations\n";
  std::vector<std::string> conflicts;
  for (const experiments::MergeConflict& conflict : report.conflicts)
    conflicts.push_back(short_id(conflict.run_id) + " in " + conflict.differs);
  print_list(take ? "different results, taken as newer attempts:"
                  : "different results, not taken (--conflicts take):",
             conflicts);
  print_list("sweeps of another file under a name that is there:", report.renamed_sweeps);
  print_list("left out:", report.left_out);
}

}  // namespace

int merge_command(const Arguments& arguments) {
  CommandLine line = merge_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if (values.count("source") == 0)
    cluster::throw_usage("no SOURCE folder is named\nusage: " + line.usage);
  experiments::MergeOptions options;
  options.take_conflicts = values["conflicts"].as<std::string>() == "take";
  options.dry_run = values.count("dry-run") > 0;
  log_warnings_alone();
  const fs::path target(values["out"].as<std::string>());
  if (options.dry_run && !fs::is_directory(target))
    cluster::throw_environment("no results folder at " + target.string());
  fs::create_directories(target);
  const auto sources = values["source"].as<std::vector<std::string>>();
  for (const std::string& source : sources) {
    if (!fs::is_directory(source)) cluster::throw_environment("no results folder at " + source);
    if (fs::equivalent(source, target))
      cluster::throw_usage("'" + source + "' is the folder that is merged into");
  }
  std::string busy;
  auto hold = experiments::BriefHold::try_take(fs::canonical(target), busy);
  if (!hold) throw cluster::Error(cluster::ErrorKind::busy, busy);
  ProgressLine progress(values.count("quiet") > 0);
  json all = json::array();
  bool left = false;
  for (const std::string& source : sources) {
    std::vector<std::string> left_out;
    const auto sweeps = sweeps_of(source, left_out);
    experiments::MergeReport report = experiments::merge(
        *hold, fs::canonical(target), fs::canonical(source), sweeps, options,
        [&](std::size_t done, std::size_t total) {
          progress.show(std::to_string(done) + " of " + std::to_string(total) + " runs",
                        cluster::monotonic_seconds(), done == total);
        });
    progress.end();
    report.left_out.insert(report.left_out.begin(), left_out.begin(), left_out.end());
    left =
        left || !report.left_out.empty() || (!report.conflicts.empty() && !options.take_conflicts);
    if (values.count("json") > 0) {
      all.push_back(to_json(report, source));
    } else {
      print(report, source, options.take_conflicts);
    }
  }
  if (values.count("json") > 0)
    std::cout << all.dump(2, ' ', true, json::error_handler_t::replace) << "\n";
  std::cout << std::flush;
  return left ? kSomethingLeft : 0;
}

}  // namespace marquee::orchestrator
