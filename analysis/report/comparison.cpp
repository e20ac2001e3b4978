#include "analysis/report/comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "analysis/report/database.h"
#include "cluster/error.h"
#include "cluster/json_text.h"
#include "cluster/suggest.h"
#include "datasets/task.h"
#include "experiments/run_config.h"

namespace marquee::analysis {
namespace {

using experiments::RunConfig;
using nlohmann::json;

// One run as the database has it.
struct Run {
  std::string id, status;
  bool finished = false;  // also while it is computed again
  RunConfig config;
  int attempt = 0;
  std::int64_t trainable_parameters = 0;
  double seconds = 0;
  std::map<std::string, std::pair<double, double>> metrics;  // value, standard error
  std::int64_t n_generated = 0, n_reference = 0;
  std::string network_hash;
};

// What runs of one row share: the configuration as the id sees it, without the seed.
std::string row_key(RunConfig run) {
  run.seed = 0;
  return experiments::canonical_form(run);
}

std::map<std::string, Run> load_runs(SQLite::Database& database, const std::string& sweep) {
  const std::string chosen =
      sweep.empty() ? "" : " WHERE r.run_id IN (SELECT run_id FROM sweep_runs WHERE sweep = ?1)";
  const auto bind = [&](SQLite::Statement& statement) {
    if (!sweep.empty()) statement.bind(1, sweep);
  };
  std::map<std::string, Run> runs;
  SQLite::Statement rows(database,
                         "SELECT r.run_id, v.status, r.config, coalesce(v.attempt, 0), "
                         "coalesce(v.trainable_parameters, 0), coalesce(v.seconds, 0), "
                         "EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = r.run_id AND "
                         "a.status = 'done') "
                         "FROM runs r JOIN results v ON v.run_id = r.run_id" +
                             chosen);
  bind(rows);
  while (rows.executeStep()) {
    Run run;
    run.id = rows.getColumn(0).getString();
    run.status = rows.getColumn(1).getString();
    run.config = experiments::run_config_from_json(json::parse(rows.getColumn(2).getString()));
    run.attempt = rows.getColumn(3).getInt();
    run.trainable_parameters = rows.getColumn(4).getInt64();
    run.seconds = rows.getColumn(5).getDouble();
    run.finished = rows.getColumn(6).getInt() != 0;
    runs[run.id] = std::move(run);
  }
  SQLite::Statement metrics(database,
                            "SELECT r.run_id, metric, value, coalesce(standard_error, 0), "
                            "n_generated, n_reference, network_hash FROM metrics r" +
                                chosen);
  bind(metrics);
  while (metrics.executeStep()) {
    const auto run = runs.find(metrics.getColumn(0).getString());
    if (run == runs.end()) continue;
    const std::string name = metrics.getColumn(1).getString();
    run->second.metrics[name] = {metrics.getColumn(2).getDouble(),
                                 metrics.getColumn(3).getDouble()};
    if (name == "label_accuracy")
      continue;  // counts other images: those that the probe was fitted to
    run->second.n_generated = metrics.getColumn(4).getInt64();
    run->second.n_reference = metrics.getColumn(5).getInt64();
    run->second.network_hash = metrics.getColumn(6).getString();
  }
  return runs;
}

MetricSummary summarise(const std::vector<const Run*>& runs, const std::string& metric) {
  MetricSummary summary;
  std::vector<double> values;
  for (const Run* run : runs) {
    const auto found = run->metrics.find(metric);
    if (found == run->metrics.end()) continue;
    values.push_back(found->second.first);
    summary.spread = found->second.second;
    summary.by_seed[run->config.seed] = found->second.first;
  }
  summary.seeds = static_cast<int>(values.size());
  for (const double value : values) summary.mean += value / summary.seeds;
  if (values.size() > 1) {
    double squares = 0;
    for (const double value : values) squares += (value - summary.mean) * (value - summary.mean);
    summary.spread = std::sqrt(squares / (summary.seeds - 1));
  }
  return summary;
}

ComparisonRow make_row(const std::vector<const Run*>& runs) {
  const RunConfig& config = runs.front()->config;
  ComparisonRow row;
  row.config = config;
  row.task = config.task;
  row.shots = config.shots;
  row.method = config.method;
  row.oracle = experiments::is_oracle(config);
  row.protocol = config.protocol;
  row.reference = config.reference;
  if (experiments::trains(config)) {
    row.budget =
        std::to_string(config.steps) + " steps of " + std::to_string(config.batch) + " images";
  }
  std::vector<const Run*> finished;
  for (const Run* run : runs) {
    if (run->finished) {
      finished.push_back(run);
    } else {
      ++row.unfinished;
      row.waiting.insert(run->status);
    }
  }
  std::sort(finished.begin(), finished.end(),
            [](const Run* a, const Run* b) { return a->config.seed < b->config.seed; });
  for (const Run* run : finished) {
    row.finished.push_back({run->id, run->attempt, run->config.seed});
    row.seconds += run->seconds / static_cast<double>(finished.size());
    row.trainable_parameters = run->trainable_parameters;
    row.n_generated = run->n_generated;
    row.n_reference = run->n_reference;
    row.network_hash = run->network_hash;
  }
  for (const std::string& metric : metric_names()) {
    const MetricSummary summary = summarise(finished, metric);
    if (summary.seeds > 0) row.metrics[metric] = summary;
  }
  return row;
}

// Images from elsewhere that were measured for a task.
void add_evaluations(SQLite::Database& database, Comparison& comparison) {
  std::map<std::string, ComparisonRow> rows;
  // Before schema 1.0 none was of a run.
  const bool of_runs =
      database
          .execAndGet("SELECT count(*) FROM pragma_table_info('evaluations') WHERE name = 'run_id'")
          .getInt() > 0;
  const std::string name = of_runs ? "name || CASE WHEN run_id IS NULL THEN '' ELSE ' (measured "
                                     "again)' END"
                                   : "name";
  SQLite::Statement evaluations(database,
                                "SELECT evaluation, " + name +
                                    ", task, shots, protocol, network_hash, reference FROM "
                                    "evaluations WHERE task <> '' ORDER BY made");
  while (evaluations.executeStep()) {
    ComparisonRow row;
    row.outside = true;
    row.method = evaluations.getColumn(1).getString();
    row.task = evaluations.getColumn(2).getString();
    row.shots = evaluations.getColumn(3).getString();
    row.protocol = evaluations.getColumn(4).getString();
    row.network_hash = evaluations.getColumn(5).getString();
    row.reference = evaluations.getColumn(6).getString();
    rows[evaluations.getColumn(0).getString()] = std::move(row);
  }
  SQLite::Statement metrics(database,
                            "SELECT evaluation, metric, value, coalesce(standard_error, 0), "
                            "n_generated, n_reference FROM evaluation_metrics");
  while (metrics.executeStep()) {
    const auto row = rows.find(metrics.getColumn(0).getString());
    if (row == rows.end()) continue;
    row->second.metrics[metrics.getColumn(1).getString()] = {metrics.getColumn(2).getDouble(),
                                                             metrics.getColumn(3).getDouble(), 1};
    row->second.n_generated = metrics.getColumn(4).getInt64();
    row->second.n_reference = metrics.getColumn(5).getInt64();
  }
  for (auto& [id, row] : rows) comparison.rows.push_back(std::move(row));
}

// Keys in which configurations of the same task, shots and method differ, and each one's values.
// One that more than half of them share goes without saying.
std::vector<std::string> variants_of(const std::vector<RunConfig>& configs) {
  std::vector<json> contents;
  for (const RunConfig& config : configs) contents.push_back(experiments::to_json(config));
  std::vector<std::string> texts(configs.size());
  const auto differs = [&](const std::string& key) {
    return std::any_of(contents.begin(), contents.end(),
                       [&](const json& c) { return c.at(key) != contents[0].at(key); });
  };
  for (const auto& item : contents.front().items()) {
    const std::string& key = item.key();
    // The base says what its hash and its family would.
    if (key == "seed" || key == "checkpoint_interval" || key == "recompute_activations" ||
        key == "family")
      continue;
    if (!differs(key) || (key == "base_hash" && differs("base"))) continue;
    for (std::size_t i = 0; i < contents.size(); ++i) {
      const json& entry = contents[i].at(key);
      const auto alike = static_cast<std::size_t>(std::count_if(
          contents.begin(), contents.end(), [&](const json& c) { return c.at(key) == entry; }));
      if (contents.size() > 2 && 2 * alike > contents.size()) continue;
      std::string text = cluster::plain_text(entry);
      if (key.ends_with("_hash")) text = short_hash(text);
      texts[i] += (texts[i].empty() ? "" : ", ") + key + "=" + text;
    }
  }
  return texts;
}

std::size_t place_of(const std::vector<std::string>& order, const std::string& word) {
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), word) - order.begin());
}

// The oracle rows of a task stand below all.
auto sort_key(const ComparisonRow& row) {
  return std::make_tuple(place_of_task(row.task), row.task, row.oracle, row.outside,
                         place_of_shots(row.shots),
                         place_of(experiments::method_names(), row.method), row.variant);
}

}  // namespace

bool counts_images(const std::string& shots) {
  return shots.find_first_not_of("0123456789") == std::string::npos;
}

long place_of_shots(const std::string& shots) {
  if (counts_images(shots)) return std::atol(shots.c_str());
  return shots == "full" ? 2000000000L : 1000000000L;
}

std::string short_hash(const std::string& hash) {
  constexpr std::size_t kDigits = 8;
  return hash.substr(0, kDigits);
}

std::string shots_text(const std::string& shots) {
  return shots + (counts_images(shots) ? " shots" : "");
}

std::vector<const ComparisonRow*> stacked(std::vector<const ComparisonRow*> rows) {
  const auto key = [](const ComparisonRow& row) {
    return std::make_tuple(row.oracle, place_of_shots(row.shots), row.outside,
                           place_of(experiments::method_names(), row.method), row.method,
                           row.variant);
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto* a, const auto* b) { return key(*a) < key(*b); });
  return rows;
}

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names{
      "fid_mini", "kid_mini",        "fid",       "sfid",         "fid_infinity",
      "kid",      "inception_score", "precision", "recall",       "f_score",
      "density",  "coverage",        "vendi",     "memorisation", "label_accuracy"};
  return names;
}

std::vector<std::string> metrics_of(const std::vector<const ComparisonRow*>& rows) {
  std::vector<std::string> shown;
  for (const std::string& metric : metric_names()) {
    if (std::any_of(rows.begin(), rows.end(),
                    [&](const ComparisonRow* row) { return row->metrics.contains(metric); }))
      shown.push_back(metric);
  }
  return shown;
}

bool lower_is_better(const std::string& metric) {
  static const std::set<std::string> lower{"fid_mini",     "kid_mini", "fid",         "sfid",
                                           "fid_infinity", "kid",      "memorisation"};
  return lower.contains(metric);
}

std::size_t place_of_task(const std::string& task) {
  return place_of(datasets::task_names(), task);
}

std::string group_name(const std::string& task) {
  const auto& tasks = datasets::all_tasks();
  const auto found = std::find_if(tasks.begin(), tasks.end(), [&](const datasets::TaskInfo& info) {
    return info.name == task;
  });
  return std::string(to_string(found == tasks.end() ? datasets::TaskGroup::own : found->group));
}

Comparison load_comparison(const std::filesystem::path& path, const std::string& sweep) {
  try {
    SQLite::Database database = open_published(path);
    const std::map<std::string, Run> runs = load_runs(database, sweep);
    Comparison comparison;
    std::map<std::string, std::vector<const Run*>> groups;
    for (const auto& [id, run] : runs) {
      ++comparison.statuses[run.status];
      groups[row_key(run.config)].push_back(&run);
    }
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::size_t>> alike;
    for (const auto& [key, members] : groups) {
      const RunConfig& config = members.front()->config;
      alike[{config.task, config.shots, config.method}].push_back(comparison.rows.size());
      comparison.rows.push_back(make_row(members));
    }
    for (const auto& [place, indices] : alike) {
      if (indices.size() < 2) continue;
      std::vector<RunConfig> chosen;
      for (const std::size_t index : indices) chosen.push_back(comparison.rows[index].config);
      const std::vector<std::string> texts = variants_of(chosen);
      for (std::size_t i = 0; i < indices.size(); ++i)
        comparison.rows[indices[i]].variant = texts[i];
    }
    if (sweep.empty()) add_evaluations(database, comparison);
    std::sort(comparison.rows.begin(), comparison.rows.end(),
              [](const auto& a, const auto& b) { return sort_key(a) < sort_key(b); });
    return comparison;
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(path.string() + ": " + error.what());
  } catch (const json::exception& error) {
    cluster::throw_environment(path.string() +
                               ": configuration of a run is damaged: " + error.what());
  }
}

}  // namespace marquee::analysis
