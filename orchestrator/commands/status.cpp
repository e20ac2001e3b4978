// marquee status: counts of a results folder, from the published database.
#include <iostream>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int status_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee status --out DIR [--json]";
  line.text =
      "Shows how many runs of each sweep are done, failed, running or waiting, as last published\n"
      "in DIR/results.sqlite (a running sweep publishes every few seconds).";
  line.options.add_options()                                             //
      ("out,o", po::value<std::string>()->required(), "results folder")  //
      ("json", "one object a sweep: {\"sweep\":..,\"runs\":..,\"<status>\":..}");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  const nlohmann::json rows = nlohmann::json::parse(
      analysis::query_text(database,
                           "SELECT coalesce(sweep, '(single runs)') AS sweep, status, count(*) AS "
                           "n FROM results GROUP BY sweep, status ORDER BY 1, 2",
                           "json"));
  nlohmann::json sweeps = nlohmann::json::object();
  for (const nlohmann::json& row : rows) {
    nlohmann::json& sweep = sweeps[row.at("sweep").get<std::string>()];
    const auto count = row.at("n").get<std::int64_t>();
    sweep[row.at("status").get<std::string>()] = count;
    sweep["runs"] = sweep.value("runs", std::int64_t{0}) + count;
  }
  if (values.count("json") > 0) {
    nlohmann::json list = nlohmann::json::array();
    for (auto& [name, counts] : sweeps.items()) {
      counts["sweep"] = name;
      list.push_back(counts);
    }
    std::cout << list.dump() << "\n";
    return 0;
  }
  for (const auto& [name, counts] : sweeps.items()) {
    std::cout << name << ": " << counts.at("runs") << " runs";
    for (const auto& [status, count] : counts.items()) {
      if (status != "runs") std::cout << ", " << count << " " << status;
    }
    std::cout << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
