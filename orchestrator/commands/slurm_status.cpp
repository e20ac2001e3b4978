// marquee slurm status: the jobs that were submitted for a results folder.
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/text.h"
#include "orchestrator/commands/slurm_parts.h"

namespace marquee::orchestrator {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

int slurm_status(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee slurm status --out DIR [--json]";
  line.text =
      "How the jobs of a results folder stand. Each is looked for by its name, not its number: "
      "one\n"
      "that the controller has forgotten is called lost, whoever has its number now; the same\n"
      "marquee slurm submit as before submits it again. Exit code: 0; 3 when Slurm gives no "
      "answer.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("json", "a list of objects");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  log_warnings_alone();
  const fs::path results = absolute_folder(values["out"].as<std::string>());
  const std::vector<SubmittedJob> jobs = read_jobs(results);
  if (!jobs.empty()) cluster::require_slurm();
  json list = json::array();
  for (const SubmittedJob& job : jobs) {
    const JobReport report = report_on(results, job);
    const JobStanding& standing = report.standing;
    if (values.count("json") > 0) {
      list.push_back({{"name", job.name},
                      {"title", job.title},
                      {"launcher", job.launcher},
                      {"elements", job.elements},
                      {"job_id", report.job.job_id},
                      {"submissions", job.submissions},
                      {"submitted", job.made},
                      {"state", state_name(standing.state)},
                      {"exit_code", standing.exit_code < 0 ? json() : json(standing.exit_code)},
                      {"active_ids", standing.active_ids},
                      {"text", standing.text}});
      continue;
    }
    std::cout << fmt::format("{:<9} {:<10} {}\n          {}\n", state_name(standing.state),
                             report.job.job_id.empty() ? "-" : report.job.job_id, job.name,
                             cluster::printable(job.title));
    if (!standing.text.empty())
      std::cout << "          " << cluster::printable(standing.text) << "\n";
  }
  if (values.count("json") > 0) {
    std::cout << list.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  } else if (jobs.empty()) {
    std::cout << "nothing has been submitted for " << cluster::printable(results.string()) << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
