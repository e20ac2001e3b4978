#include <iostream>

#include "analysis/report/datasette.h"
#include "orchestrator/commands/export_parts.h"

namespace marquee::orchestrator {

int export_datasette(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line;
  line.usage = "marquee export datasette --out DIR";
  line.text =
      "Writes DIR/datasette.json, which a sweep leaves too: titles, descriptions with units, and\n"
      "the stored questions for Datasette.\n\n"
      "  datasette results/results.sqlite --metadata results/datasette.json";
  line.options.add_options()("out,o", po::value<std::string>()->value_name("DIR")->required(),
                             "results folder");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  const std::filesystem::path results = database.parent_path();
  analysis::write_datasette_metadata(results);
  std::cout << (results / analysis::kDatasetteFile).string() << "\n";
  return 0;
}

}  // namespace marquee::orchestrator
