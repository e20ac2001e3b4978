// marquee report: tables and pages of a results folder.
#include "analysis/report/report.h"

#include <iostream>

#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int report_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee report --out DIR";
  line.text =
      "Writes DIR/report/index.html and DIR/report/table.md: methods by task and shots, with\n"
      "sample grids and how each number was made. Reads DIR/results.sqlite; a sweep may run.";
  line.options.add_options()("out,o", po::value<std::string>()->value_name("DIR")->required(),
                             "results folder");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const std::filesystem::path out = values["out"].as<std::string>();
  published_results(out);
  for (const std::filesystem::path& written : analysis::write_report(out)) {
    std::cout << written.string() << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
