#include "analysis/report/query_words.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "analysis/report/guarded_reader.h"
#include "analysis/report/named_queries.h"
#include "cluster/error.h"
#include "cluster/split.h"
#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::analysis {
namespace {

constexpr std::size_t kMostFilters = 100, kMostValues = 1000, kLongestWord = 4096;

struct Filter {
  std::string column, comparison;
  std::vector<std::string> values;
};

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_';
  });
}

// "shots<=5"; nothing where no comparison stands behind a name.
std::optional<Filter> filter_of(const std::string& word) {
  std::size_t at = 0;
  while (at < word.size() &&
         (std::isalnum(static_cast<unsigned char>(word[at])) != 0 || word[at] == '_'))
    ++at;
  if (at == 0) return std::nullopt;
  for (const std::string comparison : {"!=", "<=", ">=", "=", "<", ">", "~"}) {
    if (word.compare(at, comparison.size(), comparison) != 0) continue;
    return Filter{word.substr(0, at), comparison,
                  cluster::split_at_commas(word.substr(at + comparison.size()))};
  }
  return std::nullopt;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string identifier(const std::string& name) {
  return "\"" + name + "\"";  // is_name: holds no quotes
}

bool is_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() &&
         text.find_first_of("nN") == std::string::npos;
}

// The type of a column is not known before a row is: a number is compared with numbers and with
// texts, so that shots=5 finds the text '5'.
std::string equals(const std::string& column, const std::string& value) {
  if (value.empty()) return column + " IS NULL";
  const std::string text = column + " = " + quoted(value);
  return is_number(value) ? "(" + column + " = " + value + " OR " + text + ")" : text;
}

std::string condition_of(const Filter& filter) {
  const std::string column = identifier(filter.column);
  if (filter.comparison == "=" || filter.comparison == "!=") {
    std::string any;
    for (const std::string& value : filter.values)
      any += (any.empty() ? "" : " OR ") + equals(column, value);
    return filter.comparison == "=" ? "(" + any + ")" : "NOT coalesce(" + any + ", 0)";
  }
  const std::string& value = filter.values.front();
  if (filter.values.size() > 1) {
    cluster::throw_usage("'" + filter.column + filter.comparison +
                         "' takes one value; several stand behind = and != only");
  }
  if (filter.comparison == "~")
    return "instr(lower(" + column + "), lower(" + quoted(value) + ")) > 0";
  if (!is_number(value)) {
    cluster::throw_usage("'" + cluster::printable(value) + "' behind '" + filter.column +
                         filter.comparison + "' is no number");
  }
  // Words among numbers (shots: vtab1k, full) are neither below nor above one.
  return "(CASE WHEN typeof(" + column + ") IN ('integer', 'real') THEN " + column + " WHEN " +
         column + " <> '' AND " + column + " NOT GLOB '*[^0-9.]*' THEN CAST(" + column +
         " AS REAL) END) " + filter.comparison + " " + value;
}

std::vector<std::string> columns_of(GuardedReader& reader, const std::string& from) {
  std::vector<std::string> names;
  reader.read(
      "SELECT * FROM " + from + " LIMIT 0",
      [&](SQLite::Statement& statement) {
        for (int i = 0; i < statement.getColumnCount(); ++i)
          names.emplace_back(statement.getColumnName(i));
      },
      [](SQLite::Statement&) {});
  return names;
}

std::vector<std::string> tables_of(GuardedReader& reader) {
  std::vector<std::string> names;
  reader.read(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' "
      "ORDER BY name",
      [](SQLite::Statement&) {},
      [&](SQLite::Statement& row) { names.push_back(row.getColumn(0).getString()); });
  return names;
}

// Where the words ask, and by what.
struct Asked {
  std::string from = "results", order;
  std::vector<Filter> filters;
};

Asked parse_words(GuardedReader& reader, const std::vector<std::string>& words) {
  Asked asked;
  if (words.size() > kMostFilters)
    cluster::throw_usage("more than " + std::to_string(kMostFilters) + " words");
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() > kLongestWord) cluster::throw_usage("a word of more than 4,096 bytes");
    if (std::optional<Filter> filter = filter_of(word)) {
      if (filter->values.size() > kMostValues)
        cluster::throw_usage("more than 1,000 values behind '" + filter->column + "'");
      asked.filters.push_back(std::move(*filter));
      continue;
    }
    if (i > 0 || !is_name(word)) {
      cluster::throw_usage(
          "'" + cluster::printable(word) +
          "' is neither SQL (SELECT ...), the name of a question (--list) nor a filter as "
          "task=dtd, shots<=5, method=prompt,finetune or message~memory");
    }
    if (const NamedQuery* query = find_named_query(word)) {
      asked.from = "(" + query->sql + ")";
      asked.order = query->order;
      continue;
    }
    std::vector<std::string> known = tables_of(reader);
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      for (const NamedQuery& query : named_queries()) known.push_back(query.name);
      cluster::throw_usage("no question, view or table '" + word + "'" +
                           cluster::did_you_mean(word, known) + "; marquee query --list names all");
    }
    asked.from = identifier(word);
  }
  const std::vector<std::string> columns = columns_of(reader, asked.from);
  for (const Filter& filter : asked.filters) {
    if (std::find(columns.begin(), columns.end(), filter.column) == columns.end()) {
      cluster::throw_usage("no column '" + filter.column + "'" +
                           cluster::did_you_mean(filter.column, columns) + "; there are " +
                           cluster::join(columns));
    }
  }
  return asked;
}

std::string checked_column(const std::string& name, const std::vector<std::string>& columns) {
  if (!is_name(name) || std::find(columns.begin(), columns.end(), name) == columns.end()) {
    cluster::throw_usage("no column '" + cluster::printable(name) + "'" +
                         cluster::did_you_mean(name, columns) + "; there are " +
                         cluster::join(columns));
  }
  return identifier(name);
}

// Whether it is meant as SQL: begins with SELECT, WITH, VALUES or EXPLAIN.
bool is_sql(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n(");
  if (begin == std::string::npos) return false;
  std::string word;
  for (std::size_t i = begin; i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]));
       ++i)
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(text[i])));
  const bool alone = begin + word.size() == text.size();
  return !alone && (word == "SELECT" || word == "WITH" || word == "VALUES" || word == "EXPLAIN");
}

}  // namespace

std::string sql_of_words(const std::filesystem::path& database,
                         const std::vector<std::string>& words, const std::string& columns,
                         const std::string& order, const QueryLimits& limits) {
  // Whatever else has spaces in it is meant as SQL, too: SQLite says what is wrong with it.
  if (!words.empty() && !filter_of(words[0]) &&
      (is_sql(words[0]) || words[0].find_first_of(" \n;") != std::string::npos)) {
    if (words.size() > 1)
      cluster::throw_usage("nothing may stand behind SQL; quote it as one word");
    if (!columns.empty() || !order.empty())
      cluster::throw_usage("--columns and --order belong to names and filters; SQL says its own");
    return words[0];
  }
  GuardedReader reader(database, limits);
  const Asked asked = parse_words(reader, words);
  const std::vector<std::string> known = columns_of(reader, asked.from);
  std::string chosen;
  if (!columns.empty()) {
    for (const std::string& name : cluster::split_at_commas(columns))
      chosen += (chosen.empty() ? "" : ", ") + checked_column(name, known);
  }
  std::string sql = "SELECT " + (chosen.empty() ? "*" : chosen) + " FROM " + asked.from;
  for (std::size_t i = 0; i < asked.filters.size(); ++i)
    sql += (i == 0 ? " WHERE " : " AND ") + condition_of(asked.filters[i]);
  if (!order.empty()) {
    const bool falling = order[0] == '-';
    sql += " ORDER BY " + checked_column(order.substr(falling ? 1 : 0), known) +
           (falling ? " DESC" : "");
  } else if (!asked.order.empty()) {
    sql += " ORDER BY " + asked.order;
  } else if (asked.from == "results") {
    sql += " ORDER BY task, shots, method, seed, run_id";
  }
  return sql;
}

std::string condition_of_filters(const std::filesystem::path& database,
                                 const std::vector<std::string>& filters,
                                 const QueryLimits& limits) {
  for (const std::string& word : filters) {
    if (!filter_of(word)) {
      cluster::throw_usage("'" + cluster::printable(word) +
                           "' is no filter as task=dtd, shots<=5 or method=prompt");
    }
  }
  GuardedReader reader(database, limits);
  std::string all;
  for (const Filter& filter : parse_words(reader, filters).filters) {
    all += all.empty() ? "" : " AND ";
    all += filter.column == "sweep"
               ? "run_id IN (SELECT run_id FROM sweep_runs WHERE " + condition_of(filter) + ")"
               : condition_of(filter);
  }
  return all.empty() ? "1" : all;
}

std::string unknown_values_text(const std::filesystem::path& database,
                                const std::vector<std::string>& words) {
  if (!words.empty() && is_sql(words[0])) return "";
  GuardedReader reader(database, {});
  const Asked asked = parse_words(reader, words);
  std::string text;
  for (const Filter& filter : asked.filters) {
    if (filter.comparison != "=") continue;
    std::vector<std::string> known;
    reader.read(
        "SELECT DISTINCT CAST(" + identifier(filter.column) + " AS TEXT) FROM " + asked.from +
            " WHERE " + identifier(filter.column) + " IS NOT NULL LIMIT 1000",
        [](SQLite::Statement&) {},
        [&](SQLite::Statement& row) { known.push_back(row.getColumn(0).getString()); });
    for (const std::string& value : filter.values) {
      if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) continue;
      text += "no " + filter.column + " is '" + cluster::printable(value) + "' here" +
              cluster::printable(cluster::did_you_mean(value, known)) + "\n";
    }
  }
  return text;
}

}  // namespace marquee::analysis
