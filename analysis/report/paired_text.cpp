// How comparisons are shown.
#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "analysis/report/cited_tables.h"
#include "analysis/report/paired_comparison.h"
#include "cluster/suggest.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

constexpr std::size_t kMostUnpaired = 10;

// As many digits as tell the difference from its error, four at most.
int digits_of(const PairedSummary& summary) {
  double scale = std::abs(summary.mean);
  if (summary.interval) scale = (summary.interval->high - summary.interval->low) / 4;
  if (scale <= 0) return 3;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(scale))), 0, 4);
}

std::string interval_text(const PairedSummary& summary, int digits) {
  if (!summary.interval) return "";
  return fmt::format("{:.{}f} to {:.{}f}{}", summary.interval->low, digits, summary.interval->high,
                     digits, summary.bootstrap ? "" : " t");
}

std::string p_text(std::optional<double> p) {
  if (!p) return "";
  return *p < 0.0001 ? "<0.0001" : fmt::format("{:.{}f}", *p, *p < 0.01 ? 4 : 3);
}

std::string counts_text(const PairedSummary& summary) {
  return fmt::format("{}/{}/{}", summary.wins, summary.ties, summary.losses);
}

Table metric_table(const SideComparison& comparison) {
  Table table{{"metric", "better", comparison.first, comparison.other, "over", "difference",
               "95 % interval", "wins/ties/losses", "p", "p (Holm)", "effect"},
              {},
              {false, false, true, true, false, true, false, true, true, true, true}};
  for (const MetricComparison& metric : comparison.metrics) {
    const auto add = [&](const PairedSummary& summary, const std::string& over, double adjusted,
                         bool leads) {
      const int digits = digits_of(summary);
      table.rows.push_back(
          {leads ? metric.metric : "", leads ? (metric.lower_is_better ? "lower" : "higher") : "",
           leads ? fmt::format("{:.{}f}", metric.mean_first, digits) : "",
           leads ? fmt::format("{:.{}f}", metric.mean_other, digits) : "",
           fmt::format("{} {}", summary.pairs, over), fmt::format("{:+.{}f}", summary.mean, digits),
           interval_text(summary, digits), counts_text(summary), p_text(summary.p),
           summary.p ? p_text(adjusted) : "",
           summary.effect ? fmt::format("{:+.2f}", *summary.effect) : ""});
    };
    add(metric.pairs, metric.pairs.pairs == 1 ? "pair" : "pairs", metric.p_holm, true);
    // Over tasks there is something else to say when they have several pairs each.
    if (metric.tasks.pairs > 1 && metric.tasks.pairs < metric.pairs.pairs)
      add(metric.tasks, "tasks", metric.p_holm_tasks, false);
  }
  return table;
}

Table group_table(const SideComparison& comparison) {
  Table table{{"metric", "group", "pairs", "difference", "95 % interval", "wins/ties/losses"},
              {},
              {false, false, true, true, false, true}};
  for (const MetricComparison& metric : comparison.metrics) {
    for (const auto& [group, summary] : metric.groups) {
      const int digits = digits_of(summary);
      table.rows.push_back({metric.metric, group, std::to_string(summary.pairs),
                            fmt::format("{:+.{}f}", summary.mean, digits),
                            interval_text(summary, digits), counts_text(summary)});
    }
  }
  return table;
}

bool has_groups(const SideComparison& comparison) {
  return std::any_of(comparison.metrics.begin(), comparison.metrics.end(),
                     [](const MetricComparison& metric) { return metric.groups.size() > 1; });
}

std::string table_text(const Table& table, const std::string& format) {
  if (format == "markdown") return markdown_text(table);
  if (format == "latex") return latex_text(table);
  return aligned_text(table);
}

// Explanations, a line each: comments of LaTeX and paragraphs of the rest.
std::string note(const std::string& text, const std::string& format) {
  std::string out, line;
  for (std::istringstream lines(text); std::getline(lines, line);)
    out += (format == "latex"      ? "% " + line
            : format == "markdown" ? markdown_escaped(line)
                                   : line) +
           "\n";
  return out;
}

// "Base mini", but not "N_generated": that is a name.
std::string capital(std::string text) {
  const std::size_t word = text.find_first_of(" _");
  if (!text.empty() && (word == std::string::npos || text[word] == ' '))
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

json to_json(const PairedSummary& summary) {
  json content{{"pairs", summary.pairs},
               {"mean", summary.mean},
               {"wins", summary.wins},
               {"ties", summary.ties},
               {"losses", summary.losses}};
  content["interval"] = summary.interval
                            ? json{{"low", summary.interval->low},
                                   {"high", summary.interval->high},
                                   {"confidence", 0.95},
                                   {"method", summary.bootstrap ? "bootstrap" : "student"}}
                            : json(nullptr);
  content["p"] = summary.p ? json(*summary.p) : json(nullptr);
  content["effect"] = summary.effect ? json(*summary.effect) : json(nullptr);
  return content;
}

}  // namespace

std::string compare_text(const std::vector<SideComparison>& comparisons, const std::string& format,
                         const std::vector<experiments::CitedNumber>& cited) {
  std::string text;
  bool student = false;
  for (const SideComparison& comparison : comparisons) {
    text += note(fmt::format("{} against {}: {} pairs of the same task, shots and seed, {} task{}",
                             comparison.other, comparison.first, comparison.pairs, comparison.tasks,
                             comparison.tasks == 1 ? "" : "s"),
                 format);
    text += note(capital(cluster::join(comparison.made)), format);
    for (const std::string& difference : comparison.across)
      text += note("ATTENTION: compared across what is made differently: " + difference, format);
    text += "\n" + table_text(metric_table(comparison), format) + "\n";
    if (has_groups(comparison)) text += table_text(group_table(comparison), format) + "\n";
    for (const MetricComparison& metric : comparison.metrics)
      student = student || (metric.pairs.interval && !metric.pairs.bootstrap) ||
                (metric.tasks.interval && !metric.tasks.bootstrap);
    if (comparison.unpaired.empty()) continue;
    text += note(
        fmt::format("{} runs have no partner and are not counted:", comparison.unpaired.size()),
        format);
    for (std::size_t i = 0; i < comparison.unpaired.size(); ++i) {
      if (i == kMostUnpaired) {
        text += note(fmt::format("  and {} more (--json has all)",
                                 comparison.unpaired.size() - kMostUnpaired),
                     format);
        break;
      }
      text += note("  " + comparison.unpaired[i], format);
    }
    text += "\n";
  }
  text += note(
      "Difference: the other side minus the first. Interval: expanded percentile bootstrap "
      "of the mean" +
          std::string(student ? " (t: Student's, for fewer than six)" : "") +
          ".\np: Wilcoxon's signed ranks; Holm: adjusted over all rows above that count the "
          "same.\nEffect: rank-biserial, -1 to 1. Pairs of one task share its images: over "
          "tasks each counts once.",
      format);
  const std::string beside = cited_text(cited_beside(comparisons, cited), format);
  return beside.empty() ? text : text + "\n" + beside;
}

json to_json(const std::vector<SideComparison>& comparisons,
             const std::vector<experiments::CitedNumber>& cited) {
  json all = json::array();
  for (const SideComparison& comparison : comparisons) {
    json metrics = json::array();
    for (const MetricComparison& metric : comparison.metrics) {
      json groups = json::object();
      for (const auto& [group, summary] : metric.groups) groups[group] = to_json(summary);
      json pairs = to_json(metric.pairs), tasks = to_json(metric.tasks);
      pairs["p_holm"] = metric.pairs.p ? json(metric.p_holm) : json(nullptr);
      tasks["p_holm"] = metric.tasks.p ? json(metric.p_holm_tasks) : json(nullptr);
      metrics.push_back({{"metric", metric.metric},
                         {"better", metric.lower_is_better ? "lower" : "higher"},
                         {"mean_first", metric.mean_first},
                         {"mean_other", metric.mean_other},
                         {"over_pairs", pairs},
                         {"over_tasks", tasks},
                         {"groups", groups}});
    }
    all.push_back({{"first", comparison.first},
                   {"other", comparison.other},
                   {"pairs", comparison.pairs},
                   {"tasks", comparison.tasks},
                   {"made", comparison.made},
                   {"across", comparison.across},
                   {"unpaired", comparison.unpaired},
                   {"metrics", metrics},
                   {"cited", cited_json(cited_beside(comparison, cited))}});
  }
  return all;
}

}  // namespace marquee::analysis
