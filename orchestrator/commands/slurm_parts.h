// What the parts of `marquee slurm` and `marquee rerun --slurm` share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/sweep_file.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/slurm/batch_script.h"
#include "orchestrator/slurm/slurm_jobs.h"
#include "orchestrator/sweep/prepared_sweep.h"

namespace marquee::orchestrator {

int slurm_submit(const Arguments& arguments);
int slurm_status(const Arguments& arguments);
int slurm_cancel(const Arguments& arguments);

// The results folder as an absolute path, whether or not it is there.
std::filesystem::path absolute_folder(const std::string& out);

// Fills in folder and name of `job`, whose label names it for people and whose identity says what
// is computed, and the words of marquee that compute it: `source` is the sweep file, or --run-list
// and its file. Where they are not given, folders of data and base models are those of `options`.
void complete_job(BatchJob& job, const SweepOptions& options, const std::string& label,
                  const std::string& identity, const Arguments& source);

// Submits `job` or, with --print, shows it; tells what was done, as JSON with --json. The exit
// code.
int submit_or_print(const BatchJob& job, const SweepOptions& options,
                    const boost::program_options::variables_map& values);

// Records and Slurm's answers together; each record whose number has changed is written again.
struct JobReport {
  SubmittedJob job;
  JobStanding standing;
};
// Throws environment when Slurm gives no answer.
JobReport report_on(const std::filesystem::path& results, SubmittedJob job);

}  // namespace marquee::orchestrator
