// Finished runs with what an export tells about each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/report/table.h"
#include "experiments/result_record.h"
#include "experiments/run_config.h"

namespace marquee::analysis {

struct ExportedRun {
  std::string run_id;
  int attempt = 0;               // the one that counts
  std::filesystem::path folder;  // of that attempt
  nlohmann::json settings;       // every key of the configuration
  experiments::RunConfig config;
  std::string ended;  // UTC, ISO 8601
  double seconds = 0;
  std::int64_t trained_numbers = 0;
  std::vector<experiments::MetricValue> metrics;
  nlohmann::json provenance;  // as in the view of that name, without hosts
};

// Finished runs of the view `results` for which `condition` (of condition_of_filters) holds, by
// task, shots, method, seed. Throws environment for a damaged database, usage as query_text.
std::vector<ExportedRun> finished_runs(const std::filesystem::path& results,
                                       const std::string& condition);

// Columns key and value: settings or provenance of a run.
Table key_table(const nlohmann::json& content);

// "drawn_shapes_count": a name for files; letters, digits, '.', '-' and '_' alone.
std::string file_name_of(const std::string& text);
// "prompt-seed0-5f2c1a9b": method, seed and the first digits of the id.
std::string short_name(const ExportedRun& run);

}  // namespace marquee::analysis
