#include "analysis/report/section_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tuple>

#include "cluster/suggest.h"

namespace marquee::analysis {
namespace {

bool belongs(const ComparisonRow& row, const Section& section) {
  // A row without a result has no network yet.
  return row.task == section.task && row.protocol == section.protocol &&
         (row.network_hash == section.network_hash || row.network_hash.empty());
}

}  // namespace

std::string summary_text(const ComparisonRow& row, const std::string& metric) {
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) return "";
  const MetricSummary& summary = found->second;
  // Two digits of the spread, as far as a table has room for them; queries give every digit.
  constexpr int kMostDigits = 4;
  const double scale = summary.spread > 0 ? summary.spread : std::abs(summary.mean) * 1e-3;
  int digits = 3;
  if (scale > 0)
    digits = std::clamp(1 - static_cast<int>(std::floor(std::log10(scale))), 0, kMostDigits);
  char text[80];
  std::snprintf(text, sizeof text, "%.*f ± %.*f", digits, summary.mean, digits, summary.spread);
  return text;
}

std::vector<Section> sections_of(const Comparison& comparison) {
  std::vector<Section> sections;
  std::map<std::string, int> of_task;
  // Those with results first: they say which networks there are.
  for (const bool finished : {true, false}) {
    for (const ComparisonRow& row : comparison.rows) {
      if (row.network_hash.empty() == finished) continue;
      if (std::any_of(sections.begin(), sections.end(),
                      [&](const Section& known) { return belongs(row, known); }))
        continue;
      sections.push_back({row.task, row.protocol, row.network_hash, row.task});
      ++of_task[row.task];
    }
  }
  for (Section& section : sections) {
    if (of_task[section.task] < 2) continue;
    section.title += ", protocol " + section.protocol;
    const auto alike = std::count_if(sections.begin(), sections.end(), [&](const Section& other) {
      return other.task == section.task && other.protocol == section.protocol;
    });
    if (alike > 1) section.title += ", network " + short_hash(section.network_hash);
  }
  std::stable_sort(sections.begin(), sections.end(), [](const Section& a, const Section& b) {
    const auto place = [](const Section& section) {
      return std::make_tuple(place_of_task(section.task), section.task);
    };
    return place(a) < place(b);
  });
  return sections;
}

std::vector<const ComparisonRow*> rows_of(const Comparison& comparison, const Section& section) {
  std::vector<const ComparisonRow*> rows;
  for (const ComparisonRow& row : comparison.rows)
    if (belongs(row, section)) rows.push_back(&row);
  return rows;
}

std::string why_empty(const ComparisonRow& row, const std::string& metric) {
  if (row.outside) return "not asked for, or not to be told of images from elsewhere";
  if (metric == "memorisation") return "compares with the images tuned on, and there are none";
  return "not computed";
}

std::string empty_cells_text(const Comparison& comparison, const Section& section) {
  const std::vector<const ComparisonRow*> rows = rows_of(comparison, section);
  // The metrics that lack of the same rows for the same reason, in the order of the table.
  std::vector<std::pair<std::pair<std::set<std::string>, std::string>, std::vector<std::string>>>
      groups;
  for (const std::string& metric : metrics_of(rows)) {
    std::map<std::string, std::set<std::string>> reasons;  // and the rows' names
    for (const ComparisonRow* row : rows) {
      if (!row->metrics.empty() && !row->metrics.contains(metric))
        reasons[why_empty(*row, metric)].insert(row->name());
    }
    for (const auto& [reason, names] : reasons) {
      const std::pair key{names, reason};
      auto group = std::find_if(groups.begin(), groups.end(),
                                [&](const auto& known) { return known.first == key; });
      if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
      group->second.push_back(metric);
    }
  }
  std::string text;
  for (const auto& [key, metrics] : groups) {
    const auto& [names, reason] = key;
    text += (text.empty() ? "Empty: " : "; ") + cluster::join(metrics) + " of " +
            cluster::join({names.begin(), names.end()}) + " (" + reason + ")";
  }
  return text.empty() ? "" : text + ".";
}

Table section_table(const Comparison& comparison, const Section& section) {
  const std::vector<const ComparisonRow*> rows = rows_of(comparison, section);
  const std::vector<std::string> metrics = metrics_of(rows);
  Table table{{"shots", "method", "seeds"}, {}, {false, false, true}};
  for (const std::string& metric : metrics) table.header.push_back(metric);
  for (const char* name : {"parameters", "seconds"}) table.header.emplace_back(name);
  table.numeric.resize(table.header.size(), true);
  for (const ComparisonRow* shown : rows) {
    const ComparisonRow& row = *shown;
    std::string seeds = row.outside ? "" : std::to_string(row.finished.size());
    if (row.unfinished > 0) {
      seeds += " of ";
      seeds += std::to_string(row.finished.size() + static_cast<std::size_t>(row.unfinished));
    }
    std::vector<std::string> cells{row.oracle ? "" : row.shots, row.name(), seeds};
    for (const std::string& metric : metrics) cells.push_back(summary_text(row, metric));
    cells.push_back(row.oracle || row.outside ? "" : std::to_string(row.trainable_parameters));
    cells.push_back(row.finished.empty() ? "" : number_text("%.0f", row.seconds));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string counting_text(const Comparison& comparison) {
  std::set<std::string> generated, reference, splits, protocols, budgets;
  for (const ComparisonRow& row : comparison.rows) {
    if (row.finished.empty() && !row.outside) continue;
    if (!row.oracle) generated.insert(std::to_string(row.n_generated));
    reference.insert(std::to_string(row.n_reference));
    // Of an outside generator "eurosat:test": in the table of its task the split says it.
    const std::string prefix = row.task + ":";
    splits.insert(row.outside && row.reference.starts_with(prefix)
                      ? row.reference.substr(prefix.size())
                      : row.reference);
    if (!row.budget.empty()) budgets.insert(row.budget);
    protocols.insert(row.protocol);
  }
  const auto words = [](const std::set<std::string>& values) {
    return cluster::join({values.begin(), values.end()});
  };
  return words(generated) + " generated images a run against " + words(reference) + " " +
         words(splits) + " images of its task, protocol " + words(protocols) +
         (budgets.empty() ? "" : "; trained for " + words(budgets)) +
         "; ±: standard error of one seed, standard deviation over several";
}

std::string statuses_text(const Comparison& comparison) {
  std::vector<std::string> counts;
  for (const auto& [status, count] : comparison.statuses)
    counts.push_back(std::to_string(count) + " " + status);
  return cluster::join(counts);
}

std::string comparison_text(const std::filesystem::path& path, const std::string& sweep) {
  const Comparison comparison = load_comparison(path, sweep);
  std::string text;
  for (const Section& section : sections_of(comparison))
    text += "\n" + section.title + "\n" + aligned_text(section_table(comparison, section));
  return text + "\nsweep " + sweep + ": " + statuses_text(comparison) + "; " +
         counting_text(comparison) + "\n";
}

}  // namespace marquee::analysis
