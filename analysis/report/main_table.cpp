#include "analysis/report/main_table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "analysis/report/section_tables.h"
#include "cluster/suggest.h"
#include "datasets/task.h"

namespace marquee::analysis {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kNormal = 1.959963984540054;  // its two-sided quantile
constexpr const char* kAll = "all";

Interval around(double mean, double error) {
  return {mean - kNormal * error, mean + kNormal * error};
}

const std::string& network_of(const ComparisonRow& row) {
  return row.network_hash.empty() ? row.config.network_hash : row.network_hash;
}

MainCell cell_of(const ComparisonRow& row, const std::string& metric) {
  MainCell cell;
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) {
    cell.why = !row.metrics.empty()  ? why_empty(row, metric)
               : row.waiting.empty() ? "not computed"
                                     : cluster::join({row.waiting.begin(), row.waiting.end()});
    return cell;
  }
  const MetricSummary& summary = found->second;
  cell.mean = summary.mean;
  cell.seeds = summary.seeds;
  if (summary.by_seed.size() > 1) {
    std::vector<double> values;
    for (const auto& [seed, value] : summary.by_seed) values.push_back(value);
    cell.interval = student_interval(values, kConfidence);
  } else if (summary.spread > 0) {
    cell.interval = around(summary.mean, summary.spread);
  }
  return cell;
}

// The mean over the tasks of a group, or of all.
MainCell mean_of(const std::vector<const ComparisonRow*>& tasks, const std::string& metric) {
  MainCell cell;
  std::vector<const MetricSummary*> summaries;
  for (const ComparisonRow* row : tasks) {
    if (row == nullptr) continue;
    const auto found = row->metrics.find(metric);
    if (found != row->metrics.end()) summaries.push_back(&found->second);
  }
  const auto count = static_cast<double>(tasks.size());
  if (summaries.size() < tasks.size()) {
    cell.why = "numbers for " + std::to_string(summaries.size()) + " of " +
               std::to_string(tasks.size()) + " tasks";
    return cell;
  }
  // Seeds that every task has: their means are comparable with each other.
  std::map<std::uint64_t, std::pair<std::size_t, double>> seeds;
  double mean = 0, squares = 0;
  bool known = true;
  for (const MetricSummary* summary : summaries) {
    mean += summary->mean / count;
    for (const auto& [seed, value] : summary->by_seed) {
      ++seeds[seed].first;
      seeds[seed].second += value / count;
    }
    known = known && summary->spread > 0;
    squares += summary->spread * summary->spread;
  }
  std::vector<double> means;
  for (const auto& [seed, sum] : seeds)
    if (sum.first == tasks.size()) means.push_back(sum.second);
  cell.mean = mean;
  cell.seeds = static_cast<int>(means.size());
  if (means.size() > 1) {
    cell.mean = 0;
    for (const double value : means) *cell.mean += value / static_cast<double>(means.size());
    cell.interval = student_interval(means, kConfidence);
  } else if (known && seeds.size() == 1) {
    cell.interval = around(mean, std::sqrt(squares) / count);
  }
  return cell;
}

std::vector<MainColumn> columns_of(const std::vector<const ComparisonRow*>& rows) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // tasks of each
  std::set<std::string> seen;
  for (const auto group :
       {datasets::TaskGroup::natural, datasets::TaskGroup::specialized,
        datasets::TaskGroup::structured, datasets::TaskGroup::drawn, datasets::TaskGroup::own}) {
    const std::string name(to_string(group));
    groups.push_back({name, {}});
    for (const ComparisonRow* row : rows)  // tasks as in the registry
      if (group_name(row->task) == name && seen.insert(row->task).second)
        groups.back().second.push_back(row->task);
  }
  std::vector<MainColumn> columns;
  std::size_t shown = 0;
  for (const auto& [group, tasks] : groups) {
    for (const std::string& task : tasks) columns.push_back({task, group, false});
    if (tasks.size() > 1) columns.push_back({group, group, true});
    if (!tasks.empty()) ++shown;
  }
  if (shown > 1) columns.push_back({kAll, "", true});
  return columns;
}

void mark_best(MainTable& table) {
  const bool lower = lower_is_better(table.metric);
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    std::map<std::string, std::vector<MainCell*>> by_shots;
    for (MainRow& row : table.rows)
      if (!row.oracle && row.cells[column].mean) by_shots[row.shots].push_back(&row.cells[column]);
    for (auto& [shots, cells] : by_shots) {
      if (cells.size() < 2) continue;
      const MainCell& best =
          **std::min_element(cells.begin(), cells.end(), [&](const MainCell* a, const MainCell* b) {
            return lower ? a->mean < b->mean : a->mean > b->mean;
          });
      for (MainCell* cell : cells) {
        cell->best = *cell->mean == *best.mean;
        cell->close = !cell->best && cell->interval && best.interval &&
                      cell->interval->low <= best.interval->high &&
                      best.interval->low <= cell->interval->high;
      }
    }
  }
}

// `rows` as they stand below each other.
MainTable table_of(const std::vector<const ComparisonRow*>& rows,
                   const std::vector<MainColumn>& columns, const std::string& metric) {
  MainTable table;
  table.metric = metric;
  table.columns = columns;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  std::vector<std::map<std::string, const ComparisonRow*>> found;  // by row, by task
  for (const ComparisonRow* row : rows) {
    const std::string shots = row->oracle ? "" : row->shots;
    const auto [place, added] = places.try_emplace(
        {shots, (row->outside ? "outside " : "") + row->name()}, table.rows.size());
    if (added) {
      table.rows.push_back({shots, row->method, row->name(), row->oracle, row->outside, {}, {}});
      found.emplace_back();
    }
    found[place->second][row->task] = row;
  }
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    MainRow& row = table.rows[i];
    for (const MainColumn& column : table.columns) {
      const auto source = [&](const std::string& task) {
        const auto place = found[i].find(task);
        return place == found[i].end() ? nullptr : place->second;
      };
      if (!column.is_mean) {
        const ComparisonRow* cell = source(column.title);
        row.sources.push_back(cell);
        row.cells.push_back(cell != nullptr ? cell_of(*cell, metric) : MainCell{});
        if (cell == nullptr) row.cells.back().why = "not in these sweeps";
        continue;
      }
      std::vector<const ComparisonRow*> tasks;
      for (const MainColumn& other : table.columns)
        if (!other.is_mean && (column.group.empty() || other.group == column.group))
          tasks.push_back(source(other.title));
      row.sources.push_back(nullptr);
      row.cells.push_back(mean_of(tasks, metric));
    }
  }
  mark_best(table);
  return table;
}

// As far as the interval says something, three significant digits at least.
int digits_of(const MainCell& cell) {
  constexpr int kMostDigits = 4;
  const auto place = [](double value) { return static_cast<int>(std::floor(std::log10(value))); };
  const double width = cell.interval ? (cell.interval->high - cell.interval->low) / 2 : 0;
  int digits = width > 0 ? -place(width) : 0;
  if (*cell.mean != 0) digits = std::max(digits, 2 - place(std::abs(*cell.mean)));
  return std::clamp(digits, 0, kMostDigits);
}

}  // namespace

std::vector<MainTable> main_tables(const Comparison& comparison) {
  std::vector<std::pair<std::string, std::string>> kinds;
  std::map<std::string, int> networks;
  for (const ComparisonRow& row : comparison.rows) {
    const std::pair kind{row.protocol, network_of(row)};
    if (row.metrics.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
    kinds.push_back(kind);
    ++networks[row.protocol];
  }
  std::vector<MainTable> tables;
  for (const auto& [protocol, network] : kinds) {
    std::vector<const ComparisonRow*> rows;
    std::set<std::string> bases;
    for (const ComparisonRow& row : comparison.rows) {
      // A run that nobody has resolved yet may be of any.
      const std::string& of = network_of(row);
      if (row.protocol != protocol || (of != network && !of.empty())) continue;
      rows.push_back(&row);
      if (!row.config.base.empty()) bases.insert(row.config.base);
    }
    const std::vector<MainColumn> columns = columns_of(rows);
    rows = stacked(std::move(rows));
    std::string title = protocol;
    if (networks[protocol] > 1)
      title += bases.empty() ? ", network " + short_hash(network)
                             : ", base " + cluster::join({bases.begin(), bases.end()});
    for (const std::string& metric : metrics_of(rows)) {
      tables.push_back(table_of(rows, columns, metric));
      tables.back().title = title;
      tables.back().protocol = protocol;
      tables.back().network_hash = network;
    }
  }
  return tables;
}

std::string mean_text(const MainCell& cell) {
  if (!cell.mean) return "";
  return number_text(("%." + std::to_string(digits_of(cell)) + "f").c_str(), *cell.mean);
}

std::string interval_text(const MainCell& cell) {
  if (!cell.mean || !cell.interval) return "";
  const std::string form = "%." + std::to_string(digits_of(cell)) + "f";
  return "[" + number_text(form.c_str(), cell.interval->low) + ", " +
         number_text(form.c_str(), cell.interval->high) + "]";
}

}  // namespace marquee::analysis
