// marquee query: SQL over the published results.
#include "analysis/report/query.h"

#include <iostream>

#include "cluster/error.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int query_command(const Arguments& arguments) {
  const analysis::QueryLimits defaults;
  CommandLine line;
  line.usage =
      "marquee query --out DIR \"SQL\" [--format table|csv|json] [--timeout S] [--limit-rows N]";
  line.text =
      "Asks DIR/results.sqlite, read-only; a sweep may run meanwhile. The view `results` has one\n"
      "row a run, the table `metrics` one row a run and metric.\n\n"
      "  marquee query --out results \"SELECT task, method, fid_mini FROM results\"";
  line.options.add_options()                                                              //
      ("out,o", po::value<std::string>()->required(), "results folder")                   //
      ("format", po::value<std::string>()->default_value("table"), "table, csv or json")  //
      ("timeout", po::value<double>()->default_value(defaults.seconds),
       "seconds a query may take")  //
      ("limit-rows",
       po::value<std::int64_t>()->default_value(static_cast<std::int64_t>(defaults.rows)),
       "rows a query may have; one with more is refused as a whole");
  line.hidden.add_options()("sql", po::value<std::string>()->required(), "SQL");
  line.positional.add("sql", 1);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  analysis::QueryLimits limits;
  limits.seconds = values["timeout"].as<double>();
  if (!(limits.seconds > 0)) cluster::throw_usage("--timeout must be more than 0 seconds");
  const auto rows = values["limit-rows"].as<std::int64_t>();
  if (rows < 1)
    cluster::throw_usage("--limit-rows must be at least 1, not " + std::to_string(rows));
  limits.rows = static_cast<std::size_t>(rows);
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  std::cout << analysis::query_text(database, values["sql"].as<std::string>(),
                                    values["format"].as<std::string>(), limits)
            << std::flush;
  return 0;
}

}  // namespace marquee::orchestrator
