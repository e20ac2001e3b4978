// The comparison as tables: one for each task, protocol and network.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/comparison.h"
#include "analysis/report/table.h"

namespace marquee::analysis {

// "2.31 ± 0.04", digits by the size of the spread; "" for a metric that the row lacks.
std::string summary_text(const ComparisonRow& row, const std::string& metric);

// Rows that may stand in one table: of one task, measured by one protocol with one network.
struct Section {
  std::string task, protocol, network_hash;
  std::string title;  // the task; with the protocol where the task was measured by several
};
std::vector<Section> sections_of(const Comparison& comparison);
std::vector<const ComparisonRow*> rows_of(const Comparison& comparison, const Section& section);
// "not computed": why a row with other metrics lacks this one.
std::string why_empty(const ComparisonRow& row, const std::string& metric);
// A column for each metric that some row has.
Table section_table(const Comparison& comparison, const Section& section);
// Why cells of the table are empty, a sentence for each metric; empty where none is.
std::string empty_cells_text(const Comparison& comparison, const Section& section);
// How the numbers were made, in one line: counts, budgets and protocols.
std::string counting_text(const Comparison& comparison);
// "136 done, 22 pending".
std::string statuses_text(const Comparison& comparison);

// What `marquee sweep` prints at its end.
std::string comparison_text(const std::filesystem::path& database, const std::string& sweep);

}  // namespace marquee::analysis
