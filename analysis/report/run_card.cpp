#include "analysis/report/run_card.h"

#include <nlohmann/json.hpp>

#include "analysis/report/comparison.h"
#include "analysis/report/table.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

constexpr const char* kDigits = "%.6g";

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string metrics_table(const ExportedRun& run) {
  Table table{{"metric", "value", "standard error", "generated", "reference", "protocol"},
              {},
              {false, true, true, true, true, false}};
  for (const experiments::MetricValue& metric : run.metrics) {
    table.rows.push_back({metric.metric, number_text(kDigits, metric.value),
                          metric.standard_error ? number_text(kDigits, *metric.standard_error) : "",
                          std::to_string(metric.n_generated), std::to_string(metric.n_reference),
                          metric.protocol});
  }
  return markdown_text(table);
}

}  // namespace

std::string run_card(const ExportedRun& run, const std::string& picture) {
  const experiments::RunConfig& config = run.config;
  std::string card = "---\ntags: [\"marquee\", \"visual prompt tuning\"]\n";
  card += "task: " + quoted(config.task) + "\nshots: " + quoted(config.shots) +
          "\nmethod: " + quoted(config.method) + "\nseed: " + std::to_string(config.seed) +
          "\nbase: " + quoted(config.base) + "\nbase_hash: " + quoted(config.base_hash) +
          "\nrun_id: " + quoted(run.run_id) + "\n---\n\n";
  card += "# " +
          markdown_escaped(config.method + " on " + config.task + ", " + config.shots +
                           (counts_images(config.shots) ? " images a class" : "") + ", seed " +
                           std::to_string(config.seed)) +
          "\n\n";
  card += std::to_string(run.trained_numbers) + " numbers were trained; base `" +
          file_name_of(config.base) + "`.\n\n";
  if (!picture.empty()) card += "![generated images](" + picture + ")\n\n";
  card +=
      "## Numbers\n\n" + metrics_table(run) +
      "\nNumbers compare only with others of the same protocol, reference split and counts.\n\n";
  if (experiments::has_prompt(config)) {
    card += "## Use\n\n```\nmarquee export prompt results/runs/" + run.run_id +
            " --out prompt.safetensors\nmarquee sample --prompt prompt.safetensors --out "
            "images.png\n```\n\nThe base must have the hash above; another one is refused.\n\n";
  }
  card += "## How it was made\n\n" + markdown_text(key_table(run.settings)) + "\n" +
          markdown_text(key_table(run.provenance));
  return card;
}

}  // namespace marquee::analysis
