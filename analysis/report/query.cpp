#include "analysis/report/query.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "analysis/report/condition.h"
#include "analysis/report/guarded_reader.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "cluster/suggest.h"

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

std::string short_text(const SQLite::Column& value) {
  if (!value.isFloat()) return exact_text(value);
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value.getDouble());
  return text;
}

// A table goes to a terminal: control characters of a message must not act there.
std::string printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      shown += c;
    } else if (c == '\n') {
      shown += "\\n";
    } else {
      constexpr char kDigits[] = "0123456789abcdef";
      shown += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return shown;
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
        text += row.dump(-1, ' ', false, Json::error_handler_t::replace);
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
          cells.push_back(exact_text(statement.getColumn(i)));
        text += csv_row(cells);
        reader.check_size(text.size());
      });
  return text;
}

std::string as_table(GuardedReader& reader, const std::string& sql) {
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
          cells.push_back(printable(short_text(value)));
          bytes += sizeof(std::string) + cells.back().size();
        }
        table.rows.push_back(std::move(cells));
        reader.check_size(bytes);
      });
  const std::size_t count = table.rows.size();
  return aligned_text(table) + "(" + std::to_string(count) + (count == 1 ? " row)\n" : " rows)\n");
}

}  // namespace

std::string query_text(const std::filesystem::path& path, const std::string& sql,
                       const std::string& format, const QueryLimits& limits) {
  const std::vector<std::string> formats{"table", "csv", "json"};
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    cluster::throw_usage("--format is '" + format + "'; expected one of " + cluster::join(formats) +
                         cluster::did_you_mean(format, formats));
  }
  GuardedReader reader(path, limits);
  if (format == "json") return as_json(reader, sql);
  if (format == "csv") return as_csv(reader, sql);
  return as_table(reader, sql);
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
        if (id.size() != 64 || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
          cluster::throw_environment(path.string() + ": '" + id + "' is no run id (64 hex digits)");
        }
        ids.push_back(id);
      });
  return ids;
}

}  // namespace marquee::analysis
