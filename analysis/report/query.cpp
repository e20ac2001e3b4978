#include "analysis/report/query.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "analysis/report/condition.h"
#include "analysis/report/guarded_reader.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::analysis {
namespace {

using Json = nlohmann::ordered_json;

std::string hex_of(const SQLite::Column& value) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto* bytes = static_cast<const unsigned char*>(value.getBlob());
  std::string text;
  for (int i = 0; i < value.getBytes(); ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

Json json_of(const SQLite::Column& value) {
  if (value.isNull()) return nullptr;
  if (value.isInteger()) return value.getInt64();
  if (value.isFloat()) return value.getDouble();
  return value.isBlob() ? hex_of(value) : value.getString();
}

// Every digit: the shortest text that reads back as the same double.
std::string exact_text(const SQLite::Column& value) {
  if (value.isNull()) return "";
  if (value.isFloat()) return Json(value.getDouble()).dump();
  return value.isBlob() ? hex_of(value) : value.getString();
}

// A spreadsheet takes a text that begins so for a formula.
std::string no_formula(const std::string& text) {
  return !text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos ? "'" + text
                                                                                     : text;
}

std::string csv_text(const SQLite::Column& value) {
  if (!value.isText()) return exact_text(value);
  return cluster::printable(no_formula(value.getString()), /*keep_lines=*/true);
}

std::string short_text(const SQLite::Column& value) {
  if (!value.isFloat()) return exact_text(value);
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value.getDouble());
  return text;
}

std::vector<std::string> column_names(SQLite::Statement& statement) {
  std::vector<std::string> names;
  for (int i = 0; i < statement.getColumnCount(); ++i)
    names.emplace_back(statement.getColumnName(i));
  return names;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) line += (i > 0 ? "," : "") + csv_cell(cells[i]);
  return line + "\r\n";
}

std::string as_json(GuardedReader& reader, const std::string& sql) {
  std::vector<std::string> names;
  std::string text = "[";
  reader.read(
      sql, [&](SQLite::Statement& statement) { names = column_names(statement); },
      [&](SQLite::Statement& statement) {
        Json row = Json::object();
        for (std::size_t i = 0; i < names.size(); ++i)
          row[names[i]] = json_of(statement.getColumn(static_cast<int>(i)));
        text += text.size() > 1 ? ",\n" : "\n";
        // In ASCII: what turns the direction of text is escaped with the rest.
        text += row.dump(-1, ' ', true, Json::error_handler_t::replace);
        reader.check_size(text.size());
      });
  return text + "\n]\n";
}

std::string as_csv(GuardedReader& reader, const std::string& sql) {
  std::string text;
  reader.read(
      sql, [&](SQLite::Statement& statement) { text = csv_row(column_names(statement)); },
      [&](SQLite::Statement& statement) {
        std::vector<std::string> cells;
        for (int i = 0; i < statement.getColumnCount(); ++i)
          cells.push_back(csv_text(statement.getColumn(i)));
        text += csv_row(cells);
        reader.check_size(text.size());
      });
  return text;
}

// A result in columns, each number to six digits.
Table read_table(GuardedReader& reader, const std::string& sql) {
  Table table;
  std::size_t bytes = 0;
  reader.read(
      sql,
      [&](SQLite::Statement& statement) {
        table.header = column_names(statement);
        table.numeric.assign(table.header.size(), true);
      },
      [&](SQLite::Statement& statement) {
        std::vector<std::string> cells;
        for (int i = 0; i < statement.getColumnCount(); ++i) {
          const SQLite::Column value = statement.getColumn(i);
          if (value.isText() || value.isBlob()) table.numeric[static_cast<std::size_t>(i)] = false;
          cells.push_back(cluster::printable(short_text(value)));
          bytes += sizeof(std::string) + cells.back().size();
        }
        table.rows.push_back(std::move(cells));
        reader.check_size(bytes);
      });
  return table;
}

// The names of those that hold nothing.
std::vector<std::string> leave_out_empty_columns(Table& table) {
  std::vector<std::string> names;
  Table kept;
  kept.rows.resize(table.rows.size());
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    const bool empty = std::all_of(table.rows.begin(), table.rows.end(),
                                   [&](const auto& row) { return row[i].empty(); });
    if (empty && !table.rows.empty()) {
      names.push_back(table.header[i]);
      continue;
    }
    kept.header.push_back(table.header[i]);
    kept.numeric.push_back(table.numeric[i]);
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      kept.rows[row].push_back(std::move(table.rows[row][i]));
  }
  table = std::move(kept);
  return names;
}

std::string in_columns(Table table, const std::string& format, EmptyColumns columns) {
  std::vector<std::string> left_out;
  if (columns == EmptyColumns::leave_out) left_out = leave_out_empty_columns(table);
  const std::string without =
      left_out.empty() ? ""
                       : "without a value in any row and not shown: " + cluster::join(left_out);
  if (format == "markdown")
    return markdown_text(table) +
           (without.empty() ? "" : "\nColumns " + markdown_escaped(without) + "\n");
  if (format == "latex") return latex_text(table) + (without.empty() ? "" : "% " + without + "\n");
  const std::size_t count = table.rows.size();
  return aligned_text(table) + "(" + std::to_string(count) + (count == 1 ? " row" : " rows") +
         (without.empty() ? "" : "; columns " + without) + ")\n";
}

}  // namespace

const std::vector<std::string>& query_formats() {
  static const std::vector<std::string> formats{"table", "csv", "json", "markdown", "latex"};
  return formats;
}

std::string query_text(const std::filesystem::path& path, const std::string& sql,
                       const std::string& format, const QueryLimits& limits, EmptyColumns columns) {
  const std::vector<std::string>& formats = query_formats();
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    cluster::throw_usage("--format is '" + format + "'; expected one of " + cluster::join(formats) +
                         cluster::did_you_mean(format, formats));
  }
  GuardedReader reader(path, limits);
  if (format == "json") return as_json(reader, sql);
  if (format == "csv") return as_csv(reader, sql);
  return in_columns(read_table(reader, sql), format, columns);
}

nlohmann::json query_rows(const std::filesystem::path& path, const std::string& sql,
                          const QueryLimits& limits) {
  return nlohmann::json::parse(query_text(path, sql, "json", limits));
}

std::vector<std::string> run_ids_where(const std::filesystem::path& path,
                                       const std::string& condition, const QueryLimits& limits) {
  check_condition(condition);
  GuardedReader reader(path, limits);
  std::vector<std::string> ids;
  reader.read(
      "SELECT run_id FROM results WHERE (" + condition + "\n) ORDER BY run_id",
      [](SQLite::Statement&) {},
      [&](SQLite::Statement& statement) {
        const std::string id = statement.getColumn(0).getString();
        // The file may be anybody's, and ids become names of folders.
        if (!cluster::is_sha256_hex(id))
          cluster::throw_environment(path.string() + ": '" + id + "' is no run id (64 hex digits)");
        ids.push_back(id);
      });
  return ids;
}

}  // namespace marquee::analysis
