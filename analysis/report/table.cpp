#include "analysis/report/table.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "cluster/text.h"

namespace marquee::analysis {
namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Cells must not break the line structure around them, nor act on a terminal.
std::string one_line(const std::string& text) {
  return cluster::printable(text);
}

}  // namespace

std::string number_text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string aligned_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& name : table.header) widths.push_back(width_of(one_line(name)));
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(one_line(row[i])));
  std::string out;
  const auto put_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = one_line(row[i]);
      const std::string space(widths[i] - width_of(cell), ' ');
      line += table.numeric[i] ? space + cell : cell + space;
      if (i + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  put_row(table.header);
  std::vector<std::string> rule;
  for (const std::size_t width : widths) rule.emplace_back(width, '-');
  put_row(rule);
  for (const auto& row : table.rows) put_row(row);
  return out;
}

// What has a meaning in Markdown; '_' has none within words.
std::string markdown_escaped(const std::string& text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (std::string_view("|\\`*<>[]&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_text(const Table& table) {
  std::string out = "|";
  for (const std::string& name : table.header) out += " " + markdown_escaped(name) + " |";
  out += "\n|";
  for (const bool right : table.numeric) out += right ? " ---: |" : " --- |";
  out += "\n";
  for (const auto& row : table.rows) {
    out += "|";
    for (const std::string& cell : row) out += " " + markdown_escaped(cell) + " |";
    out += "\n";
  }
  return out;
}

std::string latex_escaped(const std::string& text) {
  std::string out;
  const std::string line = one_line(text);
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (std::string_view("{}$&#_%").find(c) != std::string_view::npos) {
      out += std::string("\\") + c;
    } else if (c == '\\') {
      out += "\\textbackslash{}";
    } else if (c == '~') {
      out += "\\textasciitilde{}";
    } else if (c == '^') {
      out += "\\textasciicircum{}";
    } else if (c == '<') {
      out += "\\textless{}";
    } else if (c == '>') {
      out += "\\textgreater{}";
    } else if (c == '[' || c == ']' || c == '*') {  // behind \\ they would be its options
      out += std::string("{") + c + "}";
    } else if (line.compare(i, 2, "\xc2\xb1") == 0) {
      out += "$\\pm$";
      ++i;
    } else {
      out += c;
    }
  }
  return out;
}

std::string latex_text(const Table& table) {
  std::string out = "\\begin{tabular}{";
  for (const bool right : table.numeric) out += right ? "r" : "l";
  out += "}\n\\toprule\n";
  const auto put_row = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out += (i > 0 ? " & " : "") + latex_escaped(row[i]);
    out += " \\\\\n";
  };
  put_row(table.header);
  out += "\\midrule\n";
  for (const auto& row : table.rows) put_row(row);
  return out + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace marquee::analysis
