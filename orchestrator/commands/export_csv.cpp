#include <iostream>

#include "analysis/report/csv_export.h"
#include "cluster/durable_file.h"
#include "orchestrator/commands/export_parts.h"
#include "orchestrator/commands/export_runs.h"

namespace marquee::orchestrator {

int export_csv(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line;
  line.usage = "marquee export csv --out DIR --to DIR";
  line.text =
      "Writes every table and view of the results as NAME.csv (UTF-8, every digit, one header),\n"
      "and curves.csv: run_id, attempt, step, loss. A part of them: marquee query ... --format "
      "csv.\n\n"
      "  marquee export csv --out results --to tables\n\n"
      "Exit codes: 0; 1 where a damaged curve was left out.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("to", po::value<std::string>()->value_name("DIR")->required(), "folder to write into");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  const std::filesystem::path to(values["to"].as<std::string>());
  cluster::create_directories_durably(to);
  std::vector<std::string> left_out;
  const auto files = analysis::export_tables(database.parent_path(), to, left_out);
  std::cout << files.size() << " files in " << to.string() << "\n";
  return end_of_export(left_out);
}

}  // namespace marquee::orchestrator
