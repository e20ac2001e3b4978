// marquee gc: frees what finished runs no longer need.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/lease.h"
#include "experiments/collection.h"
#include "experiments/ledger_takeover.h"
#include "experiments/recovery.h"
#include "experiments/results_folder.h"
#include "experiments/sweep_file.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/human.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr double kRenewSeconds = 2.0;

CommandLine gc_line() {
  CommandLine line;
  line.usage = "marquee gc --out DIR [--sweep FILE] [--dry-run] [--json]";
  line.text =
      "Removes from DIR/runs what finished runs no longer need: their checkpoints but the newest\n"
      "valid one, and files that killed processes left half written. Of a run that is not done "
      "the\n"
      "two newest valid checkpoints stay. A sweep does the same whenever a run ends; this command\n"
      "is for folders of older sweeps and for another policy. It waits for nobody: exit code 75\n"
      "while a sweep runs in DIR.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("sweep", po::value<std::string>()->value_name("FILE")->default_value(""),
       "sweep FILE whose block `keep` says what stays")  //
      ("checkpoints", cluster::such_as({"last", "none", "all"}),
       "of finished runs: last, none, all or a number (default: last)")                   //
      ("samples", cluster::one_of({"all", "none"}), "pictures (*.png) of finished runs")  //
      ("attempts", cluster::one_of({"all", "done"}),
       "folders of a finished run's attempts; done: of the one that counts")  //
      ("dry-run", "list what would go, remove nothing")                       //
      ("json", "one object with the files and their bytes");
  return line;
}

experiments::KeepPolicy policy_from(const po::variables_map& values) {
  experiments::KeepPolicy policy;
  const std::string sweep = values["sweep"].as<std::string>();
  if (!sweep.empty()) policy = experiments::load_sweep(sweep).keep;
  for (const std::string& key : experiments::keep_keys()) {
    if (values.count(key) > 0) experiments::set_keep(policy, key, values[key].as<std::string>());
  }
  return policy;
}

experiments::RunStanding standing_of(const std::string& status) {
  if (status == "done") return experiments::RunStanding::done;
  if (status == "running") return experiments::RunStanding::running;
  return experiments::RunStanding::unfinished;
}

}  // namespace

int gc_command(const Arguments& arguments) {
  CommandLine line = gc_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const experiments::KeepPolicy policy = policy_from(values);
  const std::string out = values["out"].as<std::string>();
  if (!fs::exists(fs::path(out) / experiments::kLedgerFile)) {
    cluster::throw_environment("no ledger.sqlite in " + out +
                               ": --out must name the folder that marquee sweep wrote");
  }
  const fs::path results = fs::canonical(out);
  const bool dry_run = values.count("dry-run") > 0, as_json = values.count("json") > 0;

  // The lease: whoever holds it knows that no trainer writes.
  cluster::Lease lease = cluster::Lease::acquire(results, {});
  experiments::Ledger ledger = experiments::open_ledger(results, lease);
  experiments::recover(ledger, results);
  nlohmann::json files = nlohmann::json::array();
  std::int64_t bytes = 0;
  double renewed = cluster::monotonic_seconds();
  for (const experiments::RunState& state : ledger.states("")) {
    if (const double now = cluster::monotonic_seconds(); now - renewed > kRenewSeconds) {
      lease.renew();
      renewed = now;
    }
    const fs::path folder = experiments::run_dir(results, experiments::RunId(state.run_id));
    const std::vector<experiments::Removal> plan =
        experiments::plan_collection(folder, policy, standing_of(state.status));
    if (!dry_run) experiments::remove_planned(plan);
    for (const experiments::Removal& removal : plan) {
      const std::string path = fs::relative(removal.path, results).string();
      bytes += removal.bytes;
      files.push_back({{"path", path}, {"bytes", removal.bytes}, {"reason", removal.reason}});
      if (!as_json) std::cout << path << "  " << removal.bytes << "  " << removal.reason << "\n";
    }
  }
  ledger.publish();
  if (as_json) {
    std::cout << nlohmann::json{{"dry_run", dry_run}, {"bytes", bytes}, {"files", files}}.dump(2)
              << "\n";
  } else {
    std::cout << files.size() << (dry_run ? " would go, " : " removed, ") << human_bytes(bytes)
              << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
