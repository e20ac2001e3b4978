// marquee query: SQL over the published results.
#include "analysis/report/query.h"

#include <iostream>

#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int query_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee query --out DIR \"SQL\" [--format table|csv|json]";
  line.text =
      "Asks DIR/results.sqlite, read-only; a sweep may run meanwhile. The view `results` has one\n"
      "row a run, the table `metrics` one row a run and metric.\n\n"
      "  marquee query --out results \"SELECT task, method, fid_mini FROM results\"";
  line.options.add_options()                                             //
      ("out,o", po::value<std::string>()->required(), "results folder")  //
      ("format", po::value<std::string>()->default_value("table"), "table, csv or json");
  line.hidden.add_options()("sql", po::value<std::string>()->required(), "SQL");
  line.positional.add("sql", 1);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  std::cout << analysis::query_text(database, values["sql"].as<std::string>(),
                                    values["format"].as<std::string>())
            << std::flush;
  return 0;
}

}  // namespace marquee::orchestrator
