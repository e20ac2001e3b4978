// marquee explain: everything the results database knows about one run.
#include <iostream>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "orchestrator/commands/choose_runs.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

CommandLine explain_line() {
  CommandLine line;
  line.usage = "marquee explain RUN --out DIR [--json]";
  line.text =
      "Tells what is known about one run: its configuration, every attempt with its cause of\n"
      "failure and last log lines, and its metrics. RUN is a run id or the first four or more of\n"
      "its digits; attempt folders lie in DIR/runs/RUN/.";
  line.options.add_options()                                             //
      ("out,o", po::value<std::string>()->required(), "results folder")  //
      ("json", "one object with run, attempts, metrics and events");
  line.hidden.add_options()("run", po::value<std::string>()->required(), "RUN");
  line.positional.add("run", 1);
  return line;
}

json rows_of(const std::filesystem::path& database, const std::string& sql) {
  return json::parse(analysis::query_text(database, sql, "json"));
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : value.dump();
}

void print(const json& all) {
  const json& run = all.at("run");
  std::cout << "run " << text_of(run.at("run_id")) << "\n  " << text_of(run.at("method")) << " on "
            << text_of(run.at("task")) << ", " << text_of(run.at("shots")) << " shots, seed "
            << text_of(run.at("seed")) << ": " << text_of(run.at("status")) << "\n\n";
  for (const json& attempt : all.at("attempts")) {
    std::cout << "attempt " << text_of(attempt.at("attempt")) << " on "
              << text_of(attempt.at("host")) << ": " << text_of(attempt.at("status"))
              << ", started " << text_of(attempt.at("started")) << ", ended "
              << text_of(attempt.at("ended")) << "\n";
    if (!attempt.at("cause_kind").is_null()) {
      std::cout << "  " << text_of(attempt.at("cause_kind")) << ": "
                << text_of(attempt.at("cause_message")) << "\n";
    }
    if (const json& tail = attempt.at("log_tail"); tail.is_string() && !text_of(tail).empty())
      std::cout << "  last log lines:\n" << text_of(tail) << "\n";
  }
  if (!all.at("metrics").empty()) std::cout << "\n";
  for (const json& metric : all.at("metrics")) {
    std::cout << text_of(metric.at("metric")) << " = " << text_of(metric.at("value")) << "  ("
              << text_of(metric.at("n_generated")) << " against "
              << text_of(metric.at("n_reference")) << " images, " << text_of(metric.at("protocol"))
              << ")\n";
  }
  std::cout << "\n";
  const json config = json::parse(run.at("config").get<std::string>());
  for (const auto& [key, value] : config.items()) std::cout << key << ": " << value.dump() << "\n";
}

}  // namespace

int explain_command(const Arguments& arguments) {
  CommandLine line = explain_line();
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const auto database = published_results(values["out"].as<std::string>());
  const std::string where =
      " WHERE run_id = '" + whole_id(database, values["run"].as<std::string>()) + "' ";
  const json all = {
      {"run", rows_of(database, "SELECT * FROM runs" + where)[0]},
      {"attempts", rows_of(database, "SELECT * FROM attempts" + where + "ORDER BY attempt")},
      {"metrics", rows_of(database, "SELECT * FROM metrics" + where + "ORDER BY metric")},
      {"events", rows_of(database, "SELECT * FROM events" + where + "ORDER BY event")}};
  if (values.count("json") > 0) {
    std::cout << all.dump(2) << "\n";
  } else {
    print(all);
  }
  return 0;
}

}  // namespace marquee::orchestrator
