// marquee explain: everything the results database knows about one run.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/json_text.h"
#include "cluster/lease.h"
#include "cluster/text.h"
#include "experiments/checkpoint_files.h"
#include "experiments/run_folder.h"
#include "experiments/simulation.h"
#include "orchestrator/commands/choose_runs.h"
#include "orchestrator/human.h"
#include "orchestrator/scheduling/run_standing.h"
#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/run_history.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

CommandLine explain_line() {
  CommandLine line;
  line.usage = "marquee explain RUN --out DIR [--json]";
  line.text =
      "Tells what is known about one run: why it waits, runs, has failed or is set aside, from "
      "which\n"
      "checkpoint it goes on and how long that takes, every attempt with its cause of failure and\n"
      "last log lines, its metrics and its configuration. RUN is a run id or the first four or "
      "more\n"
      "of its digits; attempt folders lie in DIR/runs/RUN/.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("json",
       "one object with run, standing, resume_step, predicted_seconds, attempts, metrics, events");
  line.hidden.add_options()("run", po::value<std::string>()->required(), "RUN");
  line.positional.add("run", 1);
  return line;
}

std::string text_of(const json& value) {
  return value.is_null() ? "-" : cluster::plain_text(value);
}

// Fit for a terminal, whatever a trainer has printed.
std::string shown(const json& value) {
  return cluster::printable(text_of(value), /*keep_lines=*/true);
}

// Somebody may be at work in the folder: the lease is held, and if by this host, by a living
// process.
bool coordinator_lives(const std::filesystem::path& results) {
  const cluster::LeaseRecord lease = cluster::read_lease(results);
  return cluster::is_here(lease) ? cluster::lives_here(lease) : !lease.released;
}

// Waiting runs of the sweeps that hold this one which the scheduler would start before it.
std::size_t runs_ahead(const std::filesystem::path& database, const std::string& run_id) {
  const json waiting = analysis::query_rows(
      database,
      "SELECT DISTINCT r.run_id AS run_id, r.config AS config, s.position AS position FROM runs r "
      "JOIN sweep_runs s ON s.run_id = r.run_id WHERE r.status = 'pending' AND s.sweep = "
      "(SELECT sweep FROM sweep_runs WHERE run_id = '" +
          run_id + "' LIMIT 1) ORDER BY s.position");
  std::vector<experiments::RunConfig> runs;
  for (const json& row : waiting) {
    runs.push_back(
        experiments::run_config_from_json(json::parse(row.at("config").get<std::string>())));
  }
  std::vector<PlannedRun> queue = plan_runs(runs);
  sort_for_start(queue);
  const auto found = std::find_if(queue.begin(), queue.end(),
                                  [&](const PlannedRun& run) { return run.run_id == run_id; });
  return static_cast<std::size_t>(found - queue.begin());
}

RunFacts facts_of(const json& run, const json& attempts, const std::filesystem::path& database) {
  RunFacts facts;
  facts.status = text_of(run.at("status"));
  for (const json& row : attempts) {
    AttemptFacts attempt;
    attempt.attempt = row.at("attempt").get<int>();
    attempt.epoch = row.at("epoch").get<std::uint64_t>();
    attempt.status = text_of(row.at("status"));
    attempt.host = text_of(row.at("host"));
    attempt.started = text_of(row.at("started"));
    attempt.cause = text_of(row.at("cause_kind"));
    if (row.at("slot").is_number_integer()) attempt.slot = row.at("slot").get<int>();
    facts.attempts.push_back(std::move(attempt));
  }
  facts.coordinator_lives = coordinator_lives(database.parent_path());
  if (facts.status == "pending")
    facts.ahead = runs_ahead(database, run.at("run_id").get<std::string>());
  return facts;
}

// What comes next for a run that is not done: "standing", "resume_step" and "predicted_seconds".
json outlook(const json& run, const json& attempts, const std::filesystem::path& database) {
  json result{{"standing", standing_of(facts_of(run, attempts, database))},
              {"resume_step", nullptr},
              {"predicted_seconds", nullptr}};
  if (run.at("status") == "done") return result;
  const std::filesystem::path results = database.parent_path();
  const experiments::RunId id(run.at("run_id").get<std::string>());
  const auto newest = experiments::newest_valid_checkpoint(experiments::run_dir(results, id));
  if (newest) result["resume_step"] = newest->step;
  const experiments::RunConfig config =
      experiments::run_config_from_json(json::parse(run.at("config").get<std::string>()));
  const bool simulated = config.data_hash == experiments::kSimulatedHash;
  const auto prediction =
      read_times(results, machine_here(simulated)).predict(config, newest ? newest->step : 0);
  if (prediction) result["predicted_seconds"] = prediction->seconds;
  return result;
}

void print(const json& all) {
  const json& run = all.at("run");
  std::cout << "run " << text_of(run.at("run_id")) << "\n  " << text_of(run.at("method")) << " on "
            << text_of(run.at("task")) << ", " << text_of(run.at("shots")) << " shots, seed "
            << text_of(run.at("seed")) << "\n  " << shown(all.at("standing")) << "\n";
  if (const json& step = all.at("resume_step"); !step.is_null())
    std::cout << "  goes on from its checkpoint of step " << step << "\n";
  if (const json& seconds = all.at("predicted_seconds"); !seconds.is_null()) {
    std::cout << "  takes about " << human_seconds(seconds.get<double>())
              << " by what finished runs took\n";
  }
  std::cout << "\n";
  for (const json& attempt : all.at("attempts")) {
    std::cout << "attempt " << text_of(attempt.at("attempt")) << " on " << shown(attempt.at("host"))
              << ", slot " << text_of(attempt.at("slot")) << ": " << text_of(attempt.at("status"))
              << ", started " << text_of(attempt.at("started")) << ", ended "
              << text_of(attempt.at("ended")) << "\n";
    if (!attempt.at("cause_kind").is_null()) {
      std::cout << "  " << shown(attempt.at("cause_kind")) << ": "
                << shown(attempt.at("cause_message")) << "\n";
    }
    if (const json& tail = attempt.at("log_tail"); tail.is_string() && !text_of(tail).empty())
      std::cout << "  last log lines:\n" << shown(tail) << "\n";
  }
  if (!all.at("metrics").empty()) std::cout << "\n";
  for (const json& metric : all.at("metrics")) {
    std::cout << text_of(metric.at("metric")) << " = " << text_of(metric.at("value")) << "  ("
              << text_of(metric.at("n_generated")) << " against "
              << text_of(metric.at("n_reference")) << " images, " << text_of(metric.at("protocol"))
              << ")\n";
  }
  std::cout << "\n";
  const json config = json::parse(run.at("config").get<std::string>());
  for (const auto& [key, value] : config.items()) std::cout << key << ": " << value.dump() << "\n";
}

}  // namespace

int explain_command(const Arguments& arguments) {
  CommandLine line = explain_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const auto database = published_results(values["out"].as<std::string>());
  const std::string where =
      " WHERE run_id = '" + whole_id(database, values["run"].as<std::string>()) + "' ";
  json all = {{"run", analysis::query_rows(database, "SELECT * FROM runs" + where)[0]},
              {"attempts", analysis::query_rows(
                               database, "SELECT * FROM attempts" + where + "ORDER BY attempt")},
              {"metrics",
               analysis::query_rows(database, "SELECT * FROM metrics" + where + "ORDER BY metric")},
              {"events",
               analysis::query_rows(database, "SELECT * FROM events" + where + "ORDER BY event")}};
  all.update(outlook(all.at("run"), all.at("attempts"), database));
  if (values.count("json") > 0) {
    std::cout << all.dump(2) << "\n";
  } else {
    print(all);
  }
  return 0;
}

}  // namespace marquee::orchestrator
