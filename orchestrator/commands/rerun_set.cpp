#include "orchestrator/commands/rerun_set.h"

#include <algorithm>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "cluster/json_text.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/base_manifest.h"
#include "experiments/results_folder.h"
#include "orchestrator/commands/choose_runs.h"
#include "orchestrator/human.h"
#include "orchestrator/sweep/prepared_sweep.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using experiments::RunConfig;
using nlohmann::json;

RunInputs inputs_from(const po::variables_map& values) {
  RunInputs inputs;
  inputs.simulated = values.count("simulate") > 0;
  if (inputs.simulated) return inputs;
  inputs.assets = experiments::find_assets_dir(values["assets"].as<std::string>());
  inputs.data = find_data_dir(values["data"].as<std::string>());
  return inputs;
}

// The file may be anybody's.
RunConfig read_origin(const fs::path& database, const std::string& id, const json& row) {
  const std::string where = database.string() + ": run " + short_id(id);
  try {
    RunConfig run =
        experiments::run_config_from_json(json::parse(row.at("config").get<std::string>()));
    experiments::check_run(run);
    if (experiments::run_id(run).text() == id) return run;
  } catch (const json::exception&) {  // said below
  } catch (const cluster::Error& error) {
    cluster::throw_environment(cluster::printable(where + " cannot be read: " + error.what()));
  }
  cluster::throw_environment(cluster::printable(where + ": its configuration is damaged"));
}

// What `columns` of the table runs are for each of these ids that it has.
std::map<std::string, json> rows_of(const fs::path& database, const std::string& columns,
                                    const std::vector<std::string>& ids) {
  constexpr std::size_t kIdsAtOnce = 500;
  std::map<std::string, json> rows;
  for (std::size_t at = 0; at < ids.size(); at += kIdsAtOnce) {
    const auto from = ids.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(kIdsAtOnce, ids.size() - at);
    const std::vector<std::string> some(from, from + static_cast<std::ptrdiff_t>(count));
    const std::string query = "SELECT run_id, " + columns + " FROM runs WHERE run_id IN ('" +
                              cluster::join(some, "', '") + "')";
    json found = analysis::query_rows(database, query);
    for (json& row : found) {
      const auto id = row.at("run_id").get<std::string>();
      rows[id] = std::move(row);
    }
  }
  return rows;
}

// "3 runs"
std::string count_text(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

struct ShownChange {
  std::string key;
  std::vector<json> before;  // of its origins, each value once
  json after;
};

// Every key in which a derived run and its origins differ, also those that came with the keys set
// (steps with epochs, network_hash with protocol).
std::vector<ShownChange> changes_of(const DerivedPlan& plan, std::size_t place) {
  std::vector<json> origins;
  for (const std::string& id : plan.derived.list.from[place])
    origins.push_back(experiments::to_json(plan.origins.at(id)));
  std::vector<ShownChange> changes;
  const json content = experiments::to_json(plan.derived.list.runs[place]);
  for (const auto& [key, value] : content.items()) {
    ShownChange change{key, {}, value};
    for (const json& origin : origins) {
      const json& old = origin.at(key);
      if (std::find(change.before.begin(), change.before.end(), old) == change.before.end())
        change.before.push_back(old);
    }
    if (change.before != std::vector<json>{value}) changes.push_back(std::move(change));
  }
  return changes;
}

std::string value_text(const json& value) {
  const std::string text = cluster::plain_text(value);
  return text.empty() ? "''" : cluster::printable(text);
}

std::string status_of(const DerivedPlan& plan, const RunConfig& run) {
  const auto found = plan.statuses.find(experiments::run_id(run).text());
  return found == plan.statuses.end() ? "" : found->second;
}

}  // namespace

std::vector<RunConfig> configurations(const fs::path& database,
                                      const std::vector<std::string>& chosen) {
  const std::map<std::string, json> rows = rows_of(database, "config", chosen);
  std::vector<RunConfig> runs;
  for (const std::string& id : chosen) {
    const auto found = rows.find(id);
    if (found == rows.end())
      cluster::throw_environment(database.string() + ": run " + id + " has no configuration");
    runs.push_back(read_origin(database, id, found->second));
  }
  return runs;
}

void add_set(CommandLine& line) {
  line.options.add_options()(
      "set", po::value<std::vector<std::string>>(),
      "KEY=VALUE, again and again: not these runs anew but runs derived from them with the keys "
      "changed; their difference to the first is printed");
}

bool DerivedPlan::all_done() const {
  return std::all_of(derived.list.runs.begin(), derived.list.runs.end(),
                     [&](const RunConfig& run) { return status_of(*this, run) == "done"; });
}

DerivedPlan plan_derived(const po::variables_map& values) {
  const auto changes = parse_changes(values["set"].as<std::vector<std::string>>());
  const std::string out = values["out"].as<std::string>();
  const fs::path database = published_results(out);
  DerivedPlan plan;
  plan.results = fs::canonical(out);
  const std::vector<std::string> chosen = chosen_runs(database, values, false);
  const std::vector<RunConfig> runs = configurations(database, chosen);
  plan.derived = derive_runs(runs, changes, inputs_from(values));
  if (plan.derived.list.runs.empty()) {
    cluster::throw_usage("--set " + set_text(plan.derived.list) + " changes nothing about " +
                         count_text(chosen.size(), "chosen run") +
                         ": they have these values, their methods do not read these keys, or they "
                         "are oracle rows");
  }
  for (std::size_t i = 0; i < runs.size(); ++i) plan.origins.emplace(chosen[i], runs[i]);
  std::vector<std::string> ids;
  for (const RunConfig& run : plan.derived.list.runs)
    ids.push_back(experiments::run_id(run).text());
  for (const auto& [id, row] : rows_of(database, "status", ids))
    if (row.at("status").is_string()) plan.statuses[id] = row.at("status").get<std::string>();
  return plan;
}

std::string runs_text(const DerivedPlan& plan) {
  std::string text;
  const RunList& list = plan.derived.list;
  for (std::size_t i = 0; i < list.runs.size(); ++i) {
    const RunConfig& run = list.runs[i];
    text += experiments::run_id(run).short_text() + "  " + run.task + "  " + run.shots +
            " shots  " + run.method + "  seed " + std::to_string(run.seed);
    for (const ShownChange& change : changes_of(plan, i)) {
      std::vector<std::string> before;
      for (const json& value : change.before) before.push_back(value_text(value));
      text += "  " + change.key + " " + cluster::join(before) + " -> " + value_text(change.after);
    }
    std::vector<std::string> from;
    for (const std::string& id : list.from[i]) from.push_back(short_id(id));
    const std::string status = status_of(plan, run);
    text += "  from " + cluster::join(from) + "  " +
            (status.empty() ? "new" : cluster::printable(status)) + "\n";
  }
  return text;
}

std::string counts_text(const DerivedPlan& plan) {
  const DerivedRuns& derived = plan.derived;
  std::map<std::string, std::size_t> statuses;
  for (const RunConfig& run : derived.list.runs) ++statuses[status_of(plan, run)];
  std::string text = count_text(derived.list.runs.size(), "run") + " derived with " +
                     set_text(derived.list) + ", " + std::to_string(statuses["done"]) +
                     " done before\n";
  if (statuses["cancelled"] > 0) {
    text += std::to_string(statuses["cancelled"]) +
            " cancelled: marquee rerun RUN without --set takes such a run up\n";
  }
  if (!derived.unchanged.empty()) {
    std::vector<std::string> ids;
    for (const std::string& id : derived.unchanged) ids.push_back(short_id(id));
    text += count_text(ids.size(), "chosen run") +
            " left out, which have these values or do not read these keys: " + cluster::join(ids) +
            "\n";
  }
  if (derived.oracles > 0)
    text += count_text(derived.oracles, "oracle row") + " left out: nothing can be set there\n";
  return text;
}

json json_of(const DerivedPlan& plan, bool dry_run) {
  json runs = json::array();
  const RunList& list = plan.derived.list;
  for (std::size_t i = 0; i < list.runs.size(); ++i) {
    json changes = json::object();
    for (const ShownChange& change : changes_of(plan, i))
      changes[change.key] = {{"before", change.before}, {"after", change.after}};
    const std::string status = status_of(plan, list.runs[i]);
    runs.push_back({{"run_id", experiments::run_id(list.runs[i]).text()},
                    {"from", list.from[i]},
                    {"changes", std::move(changes)},
                    {"status", status.empty() ? json() : json(status)}});
  }
  const bool done = plan.all_done() && !dry_run;
  return {{"kind", "rerun"},
          {"set", list.set},
          {"dry_run", dry_run},
          {"runs", std::move(runs)},
          {"unchanged", plan.derived.unchanged},
          {"oracles", plan.derived.oracles},
          {"differences", done ? analysis::to_json(analysis::load_differences(
                                     plan.results / experiments::kPublishedFile, pairs_of(list)))
                               : json()}};
}

}  // namespace marquee::orchestrator
