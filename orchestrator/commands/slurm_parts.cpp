#include "orchestrator/commands/slurm_parts.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/host.h"
#include "cluster/text.h"
#include "orchestrator/slurm/slurm_submit.h"

namespace marquee::orchestrator {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

fs::path absolute_folder(const std::string& out) {
  return fs::weakly_canonical(fs::absolute(out));
}

void complete_job(BatchJob& job, const SweepOptions& options, const std::string& label,
                  const std::string& identity, const Arguments& source) {
  const fs::path results = absolute_folder(options.out.string());
  job.name = job_name(results, label, identity);
  job.folder = job_folder(results, job.name);
  const bool array = job.launcher == BatchJob::Launcher::array;
  job.arguments = {array ? "work" : "sweep"};
  job.arguments.insert(job.arguments.end(), source.begin(), source.end());
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) job.arguments.insert(job.arguments.end(), {option, value});
  };
  add("--out", results.string());
  if (!options.data.empty()) add("--data", absolute_folder(options.data.string()).string());
  if (!options.assets.empty()) add("--assets", absolute_folder(options.assets.string()).string());
  add("--stage", cluster::to_text(options.stage));
  add("--subset", options.subset);
  add("--time-margin", std::to_string(job.lead_seconds));
  // All elements count failures from the same moment on.
  if (array) {
    add("--since", cluster::utc_now());
    job.arguments.emplace_back("--leave-rest");
  }
  if (!array && job.gpus_per_node.empty())
    add("--slots-per-host", std::to_string(job.slots_per_node));
  if (!array && options.max_fails > 0) add("--max-fails", std::to_string(options.max_fails));
  if (options.simulate) job.arguments.emplace_back("--simulate");
}

int submit_or_print(const BatchJob& job, const SweepOptions& options,
                    const po::variables_map& values) {
  if (values.count("print") > 0) {
    std::cout << batch_script(job);
    return 0;
  }
  const Submission submission = submit_once(absolute_folder(options.out.string()), job);
  if (values.count("json") > 0) {
    std::cout << json{{"name", submission.job.name},
                      {"job_id", submission.job.job_id},
                      {"submitted", submission.submitted},
                      {"before", state_name(submission.standing.state)},
                      {"script", (job.folder / "job.sh").string()}}
                     .dump()
              << "\n";
  } else {
    std::cout << submission.job.name << ": " << submission.text << "\n  "
              << cluster::printable((job.folder / "job.sh").string()) << "\n";
  }
  return 0;
}

JobReport report_on(const fs::path& results, SubmittedJob job) {
  JobReport report;
  report.standing =
      standing_of(job, read_traces(job_folder(results, job.name)), cluster::jobs_named(job.name));
  const std::vector<std::string>& active = report.standing.active_ids;
  if (!active.empty() && active.front() != job.job_id) {
    job.job_id = active.front();
    write_job(results, job);
  }
  report.job = std::move(job);
  return report;
}

}  // namespace marquee::orchestrator
