// The main table as Markdown and LaTeX, and what is said about it.
#include <algorithm>

#include "analysis/report/main_table.h"
#include "analysis/report/table.h"

namespace marquee::analysis {
namespace {

constexpr const char* kNothing = "–";

// "a" for the first reason; "aa" behind "z".
std::string mark_of(std::size_t place) {
  constexpr std::size_t kLetters = 26;
  std::string mark(1, static_cast<char>('a' + place % kLetters));
  return place < kLetters ? mark : mark_of(place / kLetters - 1) + mark;
}

std::string column_text(const MainColumn& column) {
  return column.is_mean ? "mean of " + column.title : column.title;
}

}  // namespace

std::string main_table_about(const MainTable& table) {
  std::string text = table.metric + ", " + (lower_is_better(table.metric) ? "lower" : "higher") +
                     " is better, protocol " + table.title +
                     ". In brackets the 95 % interval: Student's over seeds; of one seed 1.96 "
                     "standard errors of the metric to each side, which says how exactly these "
                     "images were measured and nothing of how another seed would do. Bold: the "
                     "best mean among the methods with the same shots";
  const bool close = std::any_of(table.rows.begin(), table.rows.end(), [](const MainRow& row) {
    return std::any_of(row.cells.begin(), row.cells.end(),
                       [](const MainCell& cell) { return cell.close; });
  });
  if (close) text += "; underlined: not told apart from it, since their intervals overlap";
  const bool lone = std::any_of(table.rows.begin(), table.rows.end(), [&](const MainRow& row) {
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      if (table.columns[i].is_mean && row.cells[i].mean && !row.cells[i].interval) return true;
    return false;
  });
  if (lone)
    text +=
        ". A mean without brackets is of tasks that share no two seeds, or of which one has no "
        "standard error";
  return text + ".";
}

std::vector<std::string> empty_reasons(const MainTable& table) {
  std::vector<std::string> reasons;
  for (const MainRow& row : table.rows)
    for (const MainCell& cell : row.cells)
      if (!cell.mean && std::find(reasons.begin(), reasons.end(), cell.why) == reasons.end())
        reasons.push_back(cell.why);
  return reasons;
}

std::string reason_mark(const std::vector<std::string>& reasons, const std::string& reason) {
  const auto found = std::find(reasons.begin(), reasons.end(), reason);
  return mark_of(static_cast<std::size_t>(found - reasons.begin()));
}

std::string empty_mark(const std::vector<std::string>& reasons, const MainCell& cell) {
  return cell.mean ? "" : reason_mark(reasons, cell.why);
}

std::string main_table_markdown(const MainTable& table) {
  const std::vector<std::string> reasons = empty_reasons(table);
  std::string head = "| shots | method |", rule = "| --- | --- |";
  for (const MainColumn& column : table.columns) {
    head += " " + markdown_escaped(column_text(column)) + " |";
    rule += " ---: |";
  }
  std::string out = head + "\n" + rule + "\n";
  for (const MainRow& row : table.rows) {
    out += "| " + markdown_escaped(row.shots) + " | " + markdown_escaped(row.name) + " |";
    for (const MainCell& cell : row.cells) {
      if (!cell.mean) {
        out += std::string(" ") + kNothing + " (" + empty_mark(reasons, cell) + ") |";
        continue;
      }
      const std::string value = mean_text(cell), interval = markdown_escaped(interval_text(cell));
      out += " " +
             (cell.best    ? "**" + value + "**"
              : cell.close ? "<u>" + value + "</u>"
                           : value) +
             (interval.empty() ? "" : " " + interval) + " |";
    }
    out += "\n";
  }
  out += "\n" + markdown_escaped(main_table_about(table)) + "\n";
  for (const std::string& reason : reasons)
    out += "\n(" + reason_mark(reasons, reason) + ") " + markdown_escaped(reason) + "  ";
  return out + (reasons.empty() ? "" : "\n");
}

std::string main_table_latex(const MainTable& table) {
  const std::vector<std::string> reasons = empty_reasons(table);
  std::string out =
      "\\begin{table*}\n\\centering\n\\scriptsize\n\\setlength{\\tabcolsep}{3pt}\n"
      "\\begin{tabular}{ll";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    out += i > 0 && table.columns[i].group != table.columns[i - 1].group ? "|r" : "r";
  out += "}\n\\toprule\nshots & method";
  for (const MainColumn& column : table.columns)
    out += " & \\rotatebox{90}{" + latex_escaped(column_text(column)) + "}";
  out += " \\\\\n\\midrule\n";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const MainRow& row = table.rows[i];
    if (i > 0 && (row.shots != table.rows[i - 1].shots || row.oracle != table.rows[i - 1].oracle))
      out += "\\midrule\n";
    out += latex_escaped(row.shots) + " & " + latex_escaped(row.name);
    for (const MainCell& cell : row.cells) {
      out += " & ";
      if (!cell.mean) {
        out += "--$^{" + empty_mark(reasons, cell) + "}$";
        continue;
      }
      const std::string value = mean_text(cell), interval = interval_text(cell);
      const std::string marked = cell.best    ? "\\textbf{" + value + "}"
                                 : cell.close ? "\\underline{" + value + "}"
                                              : value;
      out += interval.empty() ? marked
                              : "\\shortstack[r]{" + marked + "\\\\{\\tiny " + interval + "}}";
    }
    out += " \\\\\n";
  }
  out += "\\bottomrule\n\\end{tabular}\n\\caption{" + latex_escaped(main_table_about(table));
  for (const std::string& reason : reasons)
    out += " $^{" + reason_mark(reasons, reason) + "}$ " + latex_escaped(reason) + ".";
  return out + "}\n\\end{table*}\n";
}

}  // namespace marquee::analysis
