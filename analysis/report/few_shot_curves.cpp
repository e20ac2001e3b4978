#include "analysis/report/few_shot_curves.h"

#include <map>
#include <set>

#include "analysis/report/plot.h"

namespace marquee::analysis {
namespace {

std::string curve_of(const MainTable& table, std::size_t column) {
  // By method and shots; two configurations of a method are two answers and make no line.
  std::map<std::string, std::map<double, std::vector<const MainCell*>>> found;
  std::vector<std::string> order;
  for (const MainRow& row : table.rows) {
    const MainCell& cell = row.cells[column];
    if (row.oracle || !cell.mean || !counts_images(row.shots)) continue;
    const std::string name = row.method + (row.outside ? " (outside)" : "");
    if (!found.contains(name)) order.push_back(name);
    found[name][std::stod(row.shots)].push_back(&cell);
  }
  std::vector<PlotLine> lines;
  std::set<double> shots;
  for (const std::string& name : order) {
    PlotLine line{name, {}};
    line.colour = colour_of_method(name);
    for (const auto& [x, cells] : found[name]) {
      if (cells.size() > 1) continue;
      const MainCell& cell = *cells.front();
      line.points.emplace_back(x, *cell.mean);
      line.intervals.push_back(cell.interval);
      shots.insert(x);
    }
    if (!line.points.empty()) lines.push_back(std::move(line));
  }
  if (shots.size() < 2) return "";
  const MainColumn& of = table.columns[column];
  const std::string what =
      of.is_mean ? (of.group.empty() ? "mean of all tasks" : "mean of " + of.group) : of.title;
  PlotOptions options{what + ": " + table.metric, "images per class", table.metric};
  options.log_x = options.markers = true;
  return line_plot(lines, options);
}

}  // namespace

std::vector<std::string> few_shot_curves(const MainTable& table) {
  std::vector<std::string> curves;
  // Means first: what they say holds for more than one task.
  for (const bool means : {true, false}) {
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      if (table.columns[column].is_mean != means) continue;
      std::string curve = curve_of(table, column);
      if (!curve.empty()) curves.push_back(std::move(curve));
    }
  }
  return curves;
}

}  // namespace marquee::analysis
