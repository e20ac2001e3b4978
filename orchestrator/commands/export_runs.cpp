#include "orchestrator/commands/export_runs.h"

#include <iostream>

#include "analysis/report/query_words.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

constexpr int kSomethingLeft = 1;

}  // namespace

void add_export_options(CommandLine& line) {
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("to", po::value<std::string>()->value_name("DIR")->required(), "folder to write into");
  line.hidden.add_options()("filter", po::value<std::vector<std::string>>()->default_value({}, ""),
                            "FILTER");
  line.positional.add("filter", -1);
}

ExportChoice chosen_for_export(const po::variables_map& values) {
  const std::string out = values["out"].as<std::string>();
  const std::filesystem::path database = published_results(out);
  const auto filters = values["filter"].as<std::vector<std::string>>();
  ExportChoice choice;
  choice.runs = analysis::finished_runs(out, analysis::condition_of_filters(database, filters));
  if (choice.runs.empty()) {
    std::string asked;
    for (const std::string& filter : filters) asked += " " + cluster::printable(filter);
    cluster::throw_usage("no finished run" + (asked.empty() ? "" : " with" + asked) + " in " + out);
  }
  choice.to = values["to"].as<std::string>();
  cluster::create_directories_durably(choice.to);
  return choice;
}

int end_of_export(const std::vector<std::string>& left_out) {
  for (const std::string& what : left_out)
    std::cerr << "marquee: left out: " << cluster::printable(what) << "\n";
  return left_out.empty() ? 0 : kSomethingLeft;
}

}  // namespace marquee::orchestrator
