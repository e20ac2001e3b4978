// marquee slurm cancel: ends jobs that were submitted for a results folder.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "orchestrator/commands/slurm_parts.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

// Those named, by name or number; every one without names.
std::vector<SubmittedJob> chosen(const fs::path& results, const std::vector<std::string>& words) {
  std::vector<SubmittedJob> jobs = read_jobs(results);
  if (words.empty()) return jobs;
  std::vector<std::string> names;
  for (const SubmittedJob& job : jobs) names.push_back(job.name);
  std::vector<SubmittedJob> found;
  for (const std::string& word : words) {
    const auto job = std::find_if(jobs.begin(), jobs.end(), [&](const SubmittedJob& one) {
      return one.name == word || one.job_id == word;
    });
    if (job == jobs.end()) {
      cluster::throw_usage("no job '" + cluster::printable(word) + "' of " + results.string() +
                           cluster::did_you_mean(word, names) + "; it has " +
                           (names.empty() ? "none" : cluster::join(names)));
    }
    found.push_back(*job);
  }
  return found;
}

}  // namespace

int slurm_cancel(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee slurm cancel --out DIR [JOB...] [--now]";
  line.text =
      "Ends the jobs named, by name or number, or all of the folder. What waits leaves the queue;\n"
      "what runs is asked to write checkpoints and end, and does not queue itself again. What is\n"
      "finished stays; marquee slurm submit goes on from there. Only jobs that carry the name are\n"
      "touched, so that a number which Slurm has given to somebody else is safe.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("now", "do not wait for checkpoints: runs go on from the ones before")               //
      ("json", "a list of objects");
  line.hidden.add_options()("job", po::value<std::vector<std::string>>()->default_value({}, ""),
                            "JOB");
  line.positional.add("job", -1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  log_warnings_alone();
  const fs::path results = absolute_folder(values["out"].as<std::string>());
  const bool now = values.count("now") > 0;
  json list = json::array();
  const auto jobs = chosen(results, values["job"].as<std::vector<std::string>>());
  if (!jobs.empty()) cluster::require_slurm();
  for (const SubmittedJob& job : jobs) {
    std::vector<std::string> asked, ended;
    std::vector<cluster::SlurmJob> active = cluster::jobs_named(job.name);
    std::erase_if(active, [](const cluster::SlurmJob& one) { return !cluster::is_active(one); });
    // Before it is asked to end, so that it does not put itself back.
    if (!active.empty()) {
      cluster::write_file_durably(job_folder(results, job.name) / "cancelled",
                                  cluster::utc_now() + "\n");
    }
    for (const cluster::SlurmJob& one : active) {
      if (one.state == "COMPLETING") continue;
      if (one.state == "RUNNING" && !now) {
        cluster::signal_batch(one.id, "USR2");
        asked.push_back(one.id);
      } else {
        cluster::cancel_job(one.id);
        ended.push_back(one.id);
      }
    }
    list.push_back({{"name", job.name}, {"asked", asked}, {"ended", ended}});
    if (values.count("json") > 0) continue;
    std::cout << job.name << ": ";
    if (!asked.empty())
      std::cout << "asked to write checkpoints and end: " << cluster::join(asked) << "; ";
    std::cout << (ended.empty() ? "nothing else waits or runs" : "ended: " + cluster::join(ended))
              << "\n";
  }
  if (values.count("json") > 0) std::cout << list.dump() << "\n";
  return 0;
}

}  // namespace marquee::orchestrator
