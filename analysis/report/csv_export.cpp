#include "analysis/report/csv_export.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analysis/report/loss_curve.h"
#include "analysis/report/query.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/results_folder.h"
#include "experiments/run_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

QueryLimits limits_of_tables() {
  QueryLimits limits;
  limits.seconds = 3600;
  limits.rows = 100'000'000;
  limits.result_bytes = std::size_t{4} << 30;
  return limits;
}

bool is_plain(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

void export_curves(const fs::path& results, const fs::path& file,
                   std::vector<std::string>& left_out) {
  const json runs = query_rows(
      results / experiments::kPublishedFile,
      "SELECT run_id, counting_attempt FROM runs WHERE counting_attempt IS NOT NULL ORDER BY 1",
      limits_of_tables());
  cluster::DurableWriter writer(file);
  writer.append("run_id,attempt,step,loss\r\n");
  for (const json& row : runs) {
    const std::string id = row.at("run_id").get<std::string>();
    const int attempt = row.at("counting_attempt").get<int>();
    try {
      const LossCurve curve =
          read_loss_curve(experiments::attempt_dir(results, experiments::RunId(id), attempt));
      std::string text;
      for (std::size_t i = 0; i < curve.steps.size(); ++i)
        text += fmt::format("{},{},{},{}\r\n", id, attempt, curve.steps[i], curve.losses[i]);
      writer.append(text);
    } catch (const cluster::Error& error) {
      left_out.emplace_back(error.what());
    }
  }
  writer.commit();
}

}  // namespace

std::vector<std::string> export_tables(const fs::path& results, const fs::path& folder,
                                       std::vector<std::string>& left_out) {
  const fs::path database = results / experiments::kPublishedFile;
  std::vector<std::string> files;
  try {
    const json names = query_rows(
        database, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name");
    for (const json& row : names) {
      const std::string name = row.at("name").get<std::string>();
      if (name.starts_with("sqlite_")) continue;
      if (!is_plain(name)) {
        left_out.push_back(database.string() + ": a table of a strange name: " + name);
        continue;
      }
      files.push_back(name + ".csv");
      cluster::write_file_durably(
          folder / files.back(),
          query_text(database, "SELECT * FROM \"" + name + "\"", "csv", limits_of_tables()));
    }
    files.emplace_back("curves.csv");
    export_curves(results, folder / files.back(), left_out);
  } catch (const json::exception& error) {
    cluster::throw_environment(database.string() + ": damaged: " + error.what());
  }
  return files;
}

}  // namespace marquee::analysis
