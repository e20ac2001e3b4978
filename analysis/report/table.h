// A small table as text: what `marquee query` and the end of a sweep print, Markdown and LaTeX.
// Cells are text of any origin and stay text in each.
#pragma once

#include <string>
#include <vector>

namespace marquee::analysis {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // as many cells as the header
  std::vector<bool> numeric;                   // columns that align right
};

// printf's `format` of one number.
std::string number_text(const char* format, double value);

// Columns as wide as they need, two spaces apart, a rule below the header. Widths count code
// points.
std::string aligned_text(const Table& table);
std::string markdown_text(const Table& table);
// Text of any origin for a line or a cell of Markdown.
std::string markdown_escaped(const std::string& text);
// The same for LaTeX.
std::string latex_escaped(const std::string& text);
// A tabular with booktabs rules (\\usepackage{booktabs}).
std::string latex_text(const Table& table);

}  // namespace marquee::analysis
