// The main table as HTML.
#include "analysis/report/html.h"
#include "analysis/report/main_table.h"

namespace marquee::analysis {
namespace {

// A line above the columns that names the groups.
std::string group_line(const MainTable& table) {
  std::string out = "<tr class=\"groups\"><td colspan=\"2\"></td>";
  for (std::size_t first = 0; first < table.columns.size();) {
    std::size_t end = first;
    while (end < table.columns.size() && table.columns[end].group == table.columns[first].group)
      ++end;
    const std::string& group = table.columns[first].group;
    out += "<th class=\"group\" scope=\"colgroup\" colspan=\"" + std::to_string(end - first) +
           "\">" + html_escaped(group.empty() ? "all" : group) + "</th>";
    first = end;
  }
  return out + "</tr>\n";
}

std::string column_class(const MainTable& table, std::size_t column) {
  const bool edge = column == 0 || table.columns[column].group != table.columns[column - 1].group;
  return std::string(edge ? " edge" : "") + (table.columns[column].is_mean ? " mean" : "");
}

std::string cell_html(const MainTable& table, std::size_t column, const MainCell& cell,
                      const std::vector<std::string>& reasons) {
  const MainColumn& of = table.columns[column];
  std::string kind = "n" + column_class(table, column);
  if (!cell.mean) {
    return "<td" + html_attribute("class", kind + " none") + html_attribute("title", cell.why) +
           " data-v=\"\">–<sup>" + empty_mark(reasons, cell) + "</sup></td>";
  }
  if (cell.best) kind += " best";
  if (cell.close) kind += " close";
  const std::string value = html_escaped(mean_text(cell));
  const std::string shown =
      of.is_mean ? "<span class=\"v\">" + value + "</span>"
                 : "<a class=\"v\"" +
                       html_attribute("href", "#" + task_anchor(of.title, table.protocol,
                                                                table.network_hash)) +
                       ">" + value + "</a>";
  const std::string interval = interval_text(cell);
  return "<td" + html_attribute("class", kind) +
         html_attribute("data-v", number_text("%.9g", *cell.mean)) + ">" + shown +
         (interval.empty() ? "" : "<span class=\"ci\">" + html_escaped(interval) + "</span>") +
         "</td>";
}

}  // namespace

std::string task_anchor(const std::string& task, const std::string& protocol,
                        const std::string& network_hash) {
  return anchor_of("task-" + task + "-" + protocol + "-" + short_hash(network_hash));
}

std::string main_table_html(const MainTable& table) {
  const std::vector<std::string> reasons = empty_reasons(table);
  std::string out = "<table class=\"main sortable\">\n<thead>" + group_line(table) +
                    "<tr><th scope=\"col\">shots</th><th scope=\"col\">method</th>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const MainColumn& column = table.columns[i];
    out += "<th scope=\"col\"" + html_attribute("class", "n" + column_class(table, i)) +
           html_attribute("data-task", column.is_mean ? "" : column.title) + ">" +
           html_escaped(column.is_mean ? "mean" : column.title) + "</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const MainRow& row = table.rows[i];
    const bool next =
        i > 0 && (row.shots != table.rows[i - 1].shots || row.oracle != table.rows[i - 1].oracle);
    out += "<tr data-row" + html_attribute("data-shots", row.shots) +
           html_attribute("data-method", row.method) +
           html_attribute("data-text", row.shots + " " + row.name) +
           html_attribute("class",
                          std::string(row.oracle ? "oracle" : "") + (next ? " newshots" : "")) +
           "><td>" + html_escaped(row.shots) + "</td><th scope=\"row\">" + html_escaped(row.name) +
           (row.outside ? " (outside)" : "") + "</th>";
    for (std::size_t column = 0; column < row.cells.size(); ++column)
      out += cell_html(table, column, row.cells[column], reasons);
    out += "</tr>\n";
  }
  return scrolling(out + "</tbody></table>", table.metric + ", " + table.title);
}

}  // namespace marquee::analysis
