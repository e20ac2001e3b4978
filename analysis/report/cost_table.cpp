#include "analysis/report/cost_table.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace marquee::analysis {
namespace {

struct Cost {
  std::int64_t runs = 0, trained_numbers = 0;
  double result_seconds = 0, slot_hours = 0, lost_slot_hours = 0, peak_bytes = 0;

  void add(const Cost& other) {
    runs += other.runs;
    trained_numbers = std::max(trained_numbers, other.trained_numbers);
    result_seconds += other.result_seconds;
    slot_hours += other.slot_hours;
    lost_slot_hours += other.lost_slot_hours;
    peak_bytes = std::max(peak_bytes, other.peak_bytes);
  }
};

std::vector<std::string> line_of(const std::string& shots, const std::string& name,
                                 const Cost& cost, bool has_result) {
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  const auto or_nothing = [](bool known, std::string text) {
    return known ? std::move(text) : std::string();
  };
  return {shots,
          name,
          std::to_string(cost.runs),
          or_nothing(has_result && cost.runs > 0,
                     number_text("%.1f", cost.result_seconds / static_cast<double>(cost.runs))),
          number_text("%.3f", cost.slot_hours),
          number_text("%.3f", cost.lost_slot_hours),
          or_nothing(cost.peak_bytes > 0, number_text("%.2f", cost.peak_bytes / kGibibyte)),
          or_nothing(cost.trained_numbers > 0, std::to_string(cost.trained_numbers))};
}

}  // namespace

Table cost_table(SQLite::Database& database, const Comparison& comparison) {
  std::unordered_map<std::string, Cost> costs;
  Cost sum;
  SQLite::Statement rows(database,
                         "SELECT run_id, coalesce(result_seconds, 0), coalesce(slot_hours, 0), "
                         "coalesce(lost_slot_hours, 0), coalesce(peak_bytes, 0) FROM costs");
  while (rows.executeStep()) {
    const Cost cost{1,
                    0,
                    rows.getColumn(1).getDouble(),
                    rows.getColumn(2).getDouble(),
                    rows.getColumn(3).getDouble(),
                    rows.getColumn(4).getDouble()};
    costs[rows.getColumn(0).getString()] = cost;
    sum.add(cost);
  }
  Table table{{"shots", "method", "runs", "seconds a run", "slot hours", "lost", "peak memory GiB",
               "trained numbers"},
              {},
              {false, false, true, true, true, true, true, true}};
  std::vector<const ComparisonRow*> order;
  for (const ComparisonRow& row : comparison.rows)
    if (!row.finished.empty()) order.push_back(&row);
  std::vector<std::pair<std::pair<std::string, std::string>, Cost>> lines;
  for (const ComparisonRow* row : stacked(std::move(order))) {
    const std::pair key{row->oracle ? "" : row->shots, row->name()};
    if (lines.empty() || lines.back().first != key) lines.push_back({key, {}});
    for (const RunEntry& run : row->finished) {
      const auto known = costs.find(run.run_id);
      if (known == costs.end()) continue;
      Cost cost = known->second;
      cost.trained_numbers = row->trainable_parameters;
      lines.back().second.add(cost);
      costs.erase(known);
    }
  }
  for (const auto& [key, cost] : lines)
    table.rows.push_back(line_of(key.first, key.second, cost, true));
  Cost without;
  for (const auto& [id, cost] : costs) without.add(cost);
  if (without.runs > 0) table.rows.push_back(line_of("", "without a result (yet)", without, false));
  table.rows.push_back(line_of("", "all", sum, false));
  return table;
}

}  // namespace marquee::analysis
