// Pieces of a page. Text of any origin stays text.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analysis/report/table.h"

namespace marquee::analysis {

std::string html_escaped(const std::string& text);
// " name=\"value\"".
std::string html_attribute(const std::string& name, const std::string& value);
// Letters, digits and '-': "drawn-shapes-count".
std::string anchor_of(const std::string& text);

struct HtmlTable {
  std::string label;                          // what a screen reader calls it
  std::vector<std::string> row_attributes{};  // of each row, as html_attribute writes them
  std::function<std::string(std::size_t row, std::size_t column)> cell{};  // HTML; "": the text
  std::vector<std::string> column_classes{};                               // of body cells
};

// One that can be sorted: numbers by the number that their text begins with. It scrolls sideways.
std::string html_table(const Table& table, const HtmlTable& options);
// Its frame, for tables that are put together otherwise.
std::string scrolling(const std::string& table, const std::string& label);

}  // namespace marquee::analysis
