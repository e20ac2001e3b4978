// marquee query: the published results, asked in SQL, by the name of a question, or by filters.
#include "analysis/report/query.h"

#include <iostream>

#include "analysis/report/named_queries.h"
#include "analysis/report/query_words.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine query_line() {
  const analysis::QueryLimits defaults;
  CommandLine line;
  line.usage = "marquee query --out DIR [SQL | [NAME] [FILTER...]] [options]";
  line.text =
      "Asks DIR/results.sqlite, read-only; a sweep may run meanwhile. SQL is one SELECT, quoted "
      "as\n"
      "one word. NAME is a stored question, a view or a table (--list; without one, the view\n"
      "`results`: a row a run). All FILTERs must hold: task=dtd, 'shots<=5', method=prompt,none\n"
      "(either), method!=none, 'message~memory' (holds the word), prompt_length= (has none).\n\n"
      "  marquee query --out results task=dtd 'shots<=5'\n"
      "  marquee query --out results best --format markdown\n"
      "  marquee query --out results costs method=prompt --columns sweep,runs,slot_hours\n"
      "  marquee query --out results \"SELECT task, method, fid FROM results WHERE seed = 0\"\n\n"
      "Nothing is cut silently: a question that reaches a limit is refused as a whole, and "
      "columns\n"
      "that hold nothing are named where they are not shown (csv and json show them).";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->default_value(""),
       "results folder")                                  //
      ("list", "the stored questions, views and tables")  //
      ("format", cluster::one_of(analysis::query_formats())->default_value("table"),
       ("of the answer: " + cluster::join(analysis::query_formats())).c_str())  //
      ("columns", po::value<std::string>()->default_value(""),
       "only these, in this order, with commas between them")  //
      ("order", po::value<std::string>()->default_value(""),
       "column to sort by; -COLUMN: the largest first")           //
      ("show-sql", "print the SQL that the words mean, and end")  //
      ("timeout", po::value<double>()->default_value(defaults.seconds),
       "seconds a query may take")  //
      ("limit-rows",
       po::value<std::int64_t>()->default_value(static_cast<std::int64_t>(defaults.rows)),
       "rows a query may have; one with more is refused as a whole");
  std::vector<std::string> names;
  for (const analysis::NamedQuery& query : analysis::named_queries()) names.push_back(query.name);
  line.hidden.add_options()(
      "words", cluster::such_as<std::vector<std::string>>(names)->default_value({}, ""),
      "SQL, NAME, FILTER");
  line.positional.add("words", -1);
  return line;
}

void print_list(const std::string& out) {
  std::cout << "Questions\n";
  for (const analysis::NamedQuery& query : analysis::named_queries())
    std::cout << "  " << query.name << std::string(14 - query.name.size(), ' ') << query.question
              << "\n";
  if (out.empty()) {
    std::cout << "\nWith --out DIR its views and tables are listed too.\n";
    return;
  }
  std::cout << "\nViews and tables\n"
            << analysis::query_text(published_results(out),
                                    "SELECT type, name FROM sqlite_schema WHERE type IN ('view', "
                                    "'table') AND name NOT LIKE 'sqlite%' ORDER BY type DESC, name",
                                    "table");
}

analysis::QueryLimits limits_from(const po::variables_map& values) {
  analysis::QueryLimits limits;
  limits.seconds = values["timeout"].as<double>();
  if (!(limits.seconds > 0)) cluster::throw_usage("--timeout must be more than 0 seconds");
  const auto rows = values["limit-rows"].as<std::int64_t>();
  if (rows < 1)
    cluster::throw_usage("--limit-rows must be at least 1, not " + std::to_string(rows));
  limits.rows = static_cast<std::size_t>(rows);
  return limits;
}

}  // namespace

int query_command(const Arguments& arguments) {
  CommandLine line = query_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const std::string out = values["out"].as<std::string>();
  if (values.count("list") > 0) {
    print_list(out);
    return 0;
  }
  if (out.empty()) cluster::throw_usage("--out DIR is missing\nusage: " + line.usage);
  const auto words = values["words"].as<std::vector<std::string>>();
  const analysis::QueryLimits limits = limits_from(values);
  const std::filesystem::path database = published_results(out);
  const std::string sql =
      analysis::sql_of_words(database, words, values["columns"].as<std::string>(),
                             values["order"].as<std::string>(), limits);
  if (values.count("show-sql") > 0) {
    std::cout << sql << std::endl;
    return 0;
  }
  const bool own_sql = !words.empty() && sql == words[0];
  std::cout << analysis::query_text(
                   database, sql, values["format"].as<std::string>(), limits,
                   own_sql ? analysis::EmptyColumns::keep : analysis::EmptyColumns::leave_out)
            << std::flush;
  if (!own_sql) std::cerr << analysis::unknown_values_text(database, words) << std::flush;
  return 0;
}

}  // namespace marquee::orchestrator
