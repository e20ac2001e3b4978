#include "analysis/report/ablation_page.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "analysis/report/plot.h"
#include "analysis/report/samples.h"
#include "analysis/report/section_tables.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/results_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;

const ComparisonRow* row_at(const AblationVariant& variant, const AblationPlace& place) {
  for (const ComparisonRow* row : variant.rows)
    if (row->task == place.first && row->shots == place.second) return row;
  return nullptr;
}

// Of bases with networks of their own a distance of one says nothing beside that of another.
bool measured_alike(const ComparisonRow& a, const ComparisonRow& b) {
  return a.protocol == b.protocol && a.network_hash == b.network_hash;
}

std::optional<double> mean_of(const ComparisonRow& row, const char* metric) {
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) return std::nullopt;
  return found->second.mean;
}

std::string distance_of(const AblationFactor& factor) {
  for (const ComparisonRow* row : factor.variants.front().rows)
    if (row->metrics.contains("fid_mini")) return "fid_mini";
  return "fid";
}

// Those of them that the default has.
std::vector<std::string> shown_metrics(const AblationFactor& factor, const AblationPlace& place) {
  std::vector<std::string> shown;
  const ComparisonRow* row = row_at(factor.variants.front(), place);
  for (const char* metric : {"fid_mini", "fid", "recall", "coverage", "memorisation"})
    if (row->metrics.contains(metric)) shown.emplace_back(metric);
  return shown;
}

// The marquee header's promise: recall or coverage up at a distance no more than 5 % worse.
constexpr double kMostWorse = 0.05;
constexpr const char* kHolds = "yes";

}  // namespace

std::vector<AblationPlace> places_of(const AblationFactor& factor) {
  std::vector<AblationPlace> places;
  for (const ComparisonRow* row : factor.variants.front().rows) {
    const AblationPlace place{row->task, row->shots};
    if (std::any_of(
            factor.variants.begin() + 1, factor.variants.end(),
            [&](const AblationVariant& variant) { return row_at(variant, place) != nullptr; }))
      places.push_back(place);
  }
  return places;
}

std::string place_text(const AblationPlace& place) {
  return place.first + ", " + shots_text(place.second);
}

Table factor_table(const AblationFactor& factor, const AblationPlace& place) {
  const std::vector<std::string> metrics = shown_metrics(factor, place);
  const ComparisonRow* usual = row_at(factor.variants.front(), place);
  Table table{{factor.name, "seeds", "trained numbers"}, {}, {false, true, true}};
  for (const std::string& metric : metrics) table.header.push_back(metric);
  table.numeric.resize(table.header.size(), true);
  for (std::size_t i = 0; i < factor.variants.size(); ++i) {
    const AblationVariant& variant = factor.variants[i];
    const ComparisonRow* row = row_at(variant, place);
    if (row == nullptr) continue;
    const bool alike = measured_alike(*row, *usual);
    std::vector<std::string> cells{variant.name + (i == 0  ? " (default)"
                                                   : alike ? ""
                                                           : " (measured otherwise, not compared)"),
                                   std::to_string(row->finished.size()),
                                   std::to_string(row->trainable_parameters)};
    for (const std::string& metric : metrics)
      cells.push_back(alike ? summary_text(*row, metric) : "");
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table header_table(const AblationFactor& factor) {
  Table table{{"marquee header", "against", "task, shots", distance_of(factor), "recall",
               "coverage", "more at no more than 5 % worse " + distance_of(factor)},
              {},
              {false, false, false, true, true, true, false}};
  const std::string distance = distance_of(factor);
  for (std::size_t i = 1; i < factor.variants.size(); ++i) {
    const AblationVariant &on = factor.variants[i], &off = factor.variants[factor.without[i]];
    if (on.rows.front()->config.marquee == "none") continue;
    for (const AblationPlace& place : places_of(factor)) {
      const ComparisonRow *with = row_at(on, place), *without = row_at(off, place);
      if (with == nullptr || without == nullptr || !measured_alike(*with, *without)) continue;
      const auto change = [&](const char* metric) {
        return mean_of(*with, metric).value_or(NAN) - mean_of(*without, metric).value_or(NAN);
      };
      const double fid =
                       change(distance.c_str()) / mean_of(*without, distance.c_str()).value_or(NAN),
                   recall = change("recall"), coverage = change("coverage");
      const bool holds = fid <= kMostWorse && (recall > 0 || coverage > 0);
      table.rows.push_back({on.name, off.name, place_text(place),
                            number_text("%+.1f %%", 100 * fid), number_text("%+.3f", recall),
                            number_text("%+.3f", coverage), holds ? kHolds : "no"});
    }
  }
  return table;
}

std::string ablation_chart(const AblationFactor& factor, bool in_page) {
  const std::string distance = distance_of(factor);
  std::vector<DotSeries> series;
  for (const AblationPlace& place : places_of(factor)) {
    const ComparisonRow* usual = row_at(factor.variants.front(), place);
    DotSeries dots{place_text(place), {}};
    for (const AblationVariant& variant : factor.variants) {
      const ComparisonRow* row = row_at(variant, place);
      const bool shown = row != nullptr && measured_alike(*row, *usual);
      dots.values.push_back(shown ? mean_of(*row, distance.c_str()) : std::nullopt);
    }
    series.push_back(std::move(dots));
  }
  std::vector<std::string> names;
  for (const AblationVariant& variant : factor.variants) names.push_back(variant.name);
  PlotOptions options{distance + " by " + factor.name, distance, ""};
  options.in_page = in_page;
  return dot_plot(names, series, options);
}

std::vector<fs::path> write_ablations(const fs::path& results, const std::string& sweep,
                                      const fs::path& folder) {
  const Comparison comparison = load_comparison(results / experiments::kPublishedFile, sweep);
  const Ablations ablations = find_ablations(comparison);
  if (ablations.factors.empty())
    cluster::throw_usage(results.string() +
                         ": no two finished variants differ in one factor; nothing to compare");
  cluster::create_directories_durably(folder);
  std::vector<fs::path> written{folder / "README.md"};
  std::string text =
      "# Ablations\n\nOne factor at a time from one default; written by `marquee ablations`. " +
      counting_text(comparison) + ".\n";
  for (const AblationFactor& factor : ablations.factors) {
    const std::string chart = factor.name + ".svg";
    cluster::write_file_durably(folder / chart, ablation_chart(factor, /*in_page=*/false));
    written.push_back(folder / chart);
    text += "\n## " + factor.name + "\n\n![" + distance_of(factor) + " by " + factor.name + "](" +
            chart + ")\n";
    for (const AblationPlace& place : places_of(factor))
      text += "\n" + markdown_escaped(place_text(place)) + "\n\n" +
              markdown_text(factor_table(factor, place));
    if (factor.name != "marquee") continue;
    const Table table = header_table(factor);
    const auto kept = std::count_if(table.rows.begin(), table.rows.end(),
                                    [](const auto& cells) { return cells.back() == kHolds; });
    text +=
        "\nThe header on against off, the same otherwise. What is hoped for (recall or coverage "
        "up, " +
        distance_of(factor) + " no more than 5 % worse) holds in " + std::to_string(kept) + " of " +
        std::to_string(table.rows.size()) + " cases.\n\n" + markdown_text(table);
    const AblationPlace place = places_of(factor).front();
    text += "\nSamples, " + markdown_escaped(place_text(place)) + "\n";
    for (const AblationVariant& variant : factor.variants) {
      const ComparisonRow* row = row_at(variant, place);
      const std::string picture =
          row == nullptr ? "" : copy_samples(results, row->finished.front(), folder);
      if (picture.empty()) continue;
      written.push_back(folder / picture);
      text += "\n" + variant.name + "\n\n![samples, " + variant.name + "](" + picture + ")\n";
    }
  }
  if (!ablations.left_out.empty()) {
    text += "\n## Left out\n\nVariants that differ from the default in several factors:\n\n";
    for (const std::string& settings : ablations.left_out) text += "* `" + settings + "`\n";
  }
  cluster::write_file_durably(written.front(), text);
  return written;
}

}  // namespace marquee::analysis
