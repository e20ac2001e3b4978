// marquee report: tables and pages of a results folder.
#include "analysis/report/report.h"

#include <iostream>

#include "analysis/report/comparison.h"
#include "experiments/cited_numbers.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int report_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee report --out DIR [--references FILE]";
  line.text =
      "Writes DIR/report/index.html and DIR/report/table.md: methods by task and shots, with\n"
      "sample grids and how each number was made. Reads DIR/results.sqlite; a sweep may run.\n"
      "Numbers cited from papers (DIR/references.yaml, docs/results.md) stand in a section of "
      "their own.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("references", po::value<std::string>()->value_name("FILE")->default_value(""),
       "numbers cited from papers (default: DIR/references.yaml, where it is there)");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const std::filesystem::path out = values["out"].as<std::string>();
  published_results(out);
  const auto cited = experiments::find_cited_numbers(values["references"].as<std::string>(), out,
                                                     analysis::metric_names());
  for (const std::filesystem::path& written : analysis::write_report(out, cited)) {
    std::cout << written.string() << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
