#include "analysis/report/exported_runs.h"

#include <map>

#include "analysis/report/comparison.h"
#include "analysis/report/query.h"
#include "cluster/error.h"
#include "cluster/json_text.h"
#include "cluster/sha256.h"
#include "experiments/results_folder.h"
#include "experiments/run_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

QueryLimits export_limits() {
  QueryLimits limits;
  limits.seconds = 600;
  limits.result_bytes = std::size_t{2} << 30;
  return limits;
}

}  // namespace

std::vector<ExportedRun> finished_runs(const fs::path& results, const std::string& condition) {
  const fs::path database = results / experiments::kPublishedFile;
  const std::string chosen = "IN (SELECT run_id FROM results WHERE " + condition + ") ";
  std::vector<ExportedRun> runs;
  try {
    std::map<std::string, std::vector<experiments::MetricValue>> metrics;
    for (const json& row :
         query_rows(database,
                    "SELECT run_id, metric, value, standard_error, n_generated, n_reference, "
                    "protocol, network_hash FROM metrics WHERE run_id " +
                        chosen,
                    export_limits()))
      metrics[row.at("run_id").get<std::string>()].push_back(
          experiments::metrics_from_json(json::array({row})).front());
    // No host: exports are for others.
    for (const json& row :
         query_rows(database,
                    "SELECT p.run_id, p.attempt, r.config, p.ended_utc, a.seconds, "
                    "a.trainable_parameters, p.data_version, p.resize_rule, p.program_version, "
                    "p.commit_hash, p.device, p.instruction_set, p.torch_version, p.threads "
                    "FROM provenance p JOIN runs r ON r.run_id = p.run_id JOIN attempts a ON "
                    "a.run_id = p.run_id AND a.attempt = p.attempt WHERE p.run_id " +
                        chosen + "ORDER BY p.task, p.shots, p.method, p.seed, p.run_id",
                    export_limits())) {
      ExportedRun run;
      run.run_id = row.at("run_id").get<std::string>();
      // The file may be anybody's, and ids become names of folders.
      if (!cluster::is_sha256_hex(run.run_id))
        cluster::throw_environment(database.string() + ": '" + run.run_id +
                                   "' is no run id (64 hex digits)");
      run.attempt = row.at("attempt").get<int>();
      run.folder = experiments::attempt_dir(results, experiments::RunId(run.run_id), run.attempt);
      run.settings = json::parse(row.at("config").get<std::string>());
      run.config = experiments::run_config_from_json(run.settings);
      run.ended = row.at("ended_utc").get<std::string>();
      run.seconds = row.at("seconds").get<double>();
      run.trained_numbers = row.at("trainable_parameters").get<std::int64_t>();
      run.metrics = std::move(metrics[run.run_id]);
      for (const char* key : {"data_version", "resize_rule", "program_version", "commit_hash",
                              "device", "instruction_set", "torch_version", "threads"})
        if (!row.at(key).is_null()) run.provenance[key] = row.at(key);
      runs.push_back(std::move(run));
    }
  } catch (const json::exception& error) {
    cluster::throw_environment(database.string() + ": damaged: " + error.what());
  }
  return runs;
}

Table key_table(const json& content) {
  Table table{{"key", "value"}, {}, {false, false}};
  for (const auto& [key, value] : content.items())
    table.rows.push_back({key, cluster::plain_text(value)});
  return table;
}

std::string file_name_of(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || (c == '.' && !name.empty());
    name += kept ? c : '_';
  }
  return name.empty() ? "_" : name.substr(0, 80);
}

std::string short_name(const ExportedRun& run) {
  return file_name_of(run.config.method) + "-seed" + std::to_string(run.config.seed) + "-" +
         short_hash(run.run_id);
}

}  // namespace marquee::analysis
