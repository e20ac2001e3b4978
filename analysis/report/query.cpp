#include "analysis/report/query.h"

#include <cstdio>
#include <cstring>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "analysis/report/database.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::analysis {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxRows = 1'000'000;

// sqlite3_prepare tells where the first statement ends; SQLiteCpp does not.
void check_single_reading_statement(SQLite::Database& database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  if (sqlite3_prepare_v2(database.getHandle(), sql.c_str(), static_cast<int>(sql.size()),
                         &statement, &rest) != SQLITE_OK) {
    cluster::throw_usage(std::string("SQL refused: ") + database.getErrorMsg());
  }
  const bool reads = statement != nullptr && sqlite3_stmt_readonly(statement) != 0 &&
                     sqlite3_column_count(statement) > 0;
  sqlite3_finalize(statement);
  if (!reads) cluster::throw_usage("SQL refused: expected a SELECT; results are read-only here");
  if (std::string(rest).find_first_not_of(" \t\r\n;") != std::string::npos)
    cluster::throw_usage("SQL refused: expected one statement, not several");
}

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

std::string short_text(const SQLite::Column& value) {
  if (!value.isFloat()) return exact_text(value);
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value.getDouble());
  return text;
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

// Calls `take` with the statement at each row.
template <typename Take>
void for_each_row(SQLite::Statement& statement, Take take) {
  std::size_t rows = 0;
  while (statement.executeStep()) {
    if (++rows > kMaxRows)
      cluster::throw_usage("more than " + std::to_string(kMaxRows) + " rows: add a LIMIT");
    take();
  }
}

std::string as_json(SQLite::Statement& statement, const std::vector<std::string>& names) {
  Json rows = Json::array();
  for_each_row(statement, [&] {
    Json row = Json::object();
    for (std::size_t i = 0; i < names.size(); ++i)
      row[names[i]] = json_of(statement.getColumn(static_cast<int>(i)));
    rows.push_back(std::move(row));
  });
  return rows.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_csv(SQLite::Statement& statement, const std::vector<std::string>& names) {
  std::string text = csv_row(names);
  for_each_row(statement, [&] {
    std::vector<std::string> cells;
    for (int i = 0; i < statement.getColumnCount(); ++i)
      cells.push_back(exact_text(statement.getColumn(i)));
    text += csv_row(cells);
  });
  return text;
}

std::string as_table(SQLite::Statement& statement, const std::vector<std::string>& names) {
  Table table{names, {}, std::vector<bool>(names.size(), true)};
  for_each_row(statement, [&] {
    std::vector<std::string> cells;
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      const SQLite::Column value = statement.getColumn(i);
      if (value.isText() || value.isBlob()) table.numeric[static_cast<std::size_t>(i)] = false;
      cells.push_back(short_text(value));
    }
    table.rows.push_back(std::move(cells));
  });
  const std::size_t count = table.rows.size();
  return aligned_text(table) + "(" + std::to_string(count) + (count == 1 ? " row)\n" : " rows)\n");
}

}  // namespace

std::string query_text(const std::filesystem::path& path, const std::string& sql,
                       const std::string& format) {
  const std::vector<std::string> formats{"table", "csv", "json"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    cluster::throw_usage("--format is '" + format + "'; expected one of " + cluster::join(formats) +
                         cluster::did_you_mean(format, formats));
  }
  SQLite::Database database = open_published(path);
  check_single_reading_statement(database, sql);
  try {
    SQLite::Statement statement(database, sql);
    std::vector<std::string> names;
    for (int i = 0; i < statement.getColumnCount(); ++i)
      names.emplace_back(statement.getColumnName(i));
    if (format == "json") return as_json(statement, names);
    if (format == "csv") return as_csv(statement, names);
    return as_table(statement, names);
  } catch (const SQLite::Exception& error) {
    cluster::throw_usage(std::string("SQL failed: ") + error.what());
  }
}

}  // namespace marquee::analysis
