// The main table: methods by tasks, with the means of VTAB's groups, for one metric of one protocol
// and feature network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/report/comparison.h"
#include "analysis/report/paired_statistics.h"

namespace marquee::analysis {

struct MainCell {
  std::optional<double> mean{};        // over seeds; of a group's column over its tasks
  std::optional<Interval> interval{};  // 95 %
  int seeds = 0;
  bool best = false;   // among the rows with the same shots that are no oracles
  bool close = false;  // not the best, but its interval and the best one's overlap
  std::string
      why{};  // without a mean: "pending", "not in these sweeps", "numbers for 2 of 7 tasks"
};

struct MainColumn {
  std::string title;  // a task, or "natural" for the group's mean, "all" for that of all tasks
  std::string group;  // "" of the mean over all
  bool is_mean = false;
};

struct MainRow {
  std::string shots, method, name;  // shots of oracles: ""
  bool oracle = false, outside = false;
  std::vector<MainCell> cells;                // by column
  std::vector<const ComparisonRow*> sources;  // by column; nullptr: none, or a mean
};

struct MainTable {
  std::string title;  // "clean-fid", with the base where several networks measure by a protocol
  std::string protocol, network_hash, metric;
  std::vector<MainColumn> columns;  // groups in VTAB's order, each with its mean behind its tasks
                                    // where it has several; last the mean over all
  std::vector<MainRow> rows;        // as in the comparison
};

// For each protocol and network, for each metric that some row has, in the order of a report.
// `comparison` must outlive them.
//
// Intervals: Student's over seeds; of one seed 1.96 standard errors of the metric to each side, of
// a mean over tasks likewise from their standard errors, as if these were independent. A mean is
// given only where the row has a number for every task of the column's group, and one over seeds
// only of the seeds that all of them have.
std::vector<MainTable> main_tables(const Comparison& comparison);

// "16.7", with as many digits as the interval bears; "" without a mean.
std::string mean_text(const MainCell& cell);
std::string interval_text(const MainCell& cell);  // "[15.9, 17.5]"; "" without one
// What its means, brackets and marks say, in sentences.
std::string main_table_about(const MainTable& table);
// Reasons of the empty cells, in the order in which they first come; the mark of one, "a" for the
// first; and that of a cell, "" where it is not empty.
std::vector<std::string> empty_reasons(const MainTable& table);
std::string reason_mark(const std::vector<std::string>& reasons, const std::string& reason);
std::string empty_mark(const std::vector<std::string>& reasons, const MainCell& cell);

// Of the whole table, best in bold; footnotes below.
std::string main_table_markdown(const MainTable& table);
// A `table*` with turned task names; \usepackage{booktabs,graphicx}.
std::string main_table_latex(const MainTable& table);

// With links to the sections of the tasks.
std::string main_table_html(const MainTable& table);
std::string task_anchor(const std::string& task, const std::string& protocol,
                        const std::string& network_hash);

}  // namespace marquee::analysis
