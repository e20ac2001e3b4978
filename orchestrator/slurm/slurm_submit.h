// Submitting a job so that it is in Slurm's queue once, whatever dies in between: its record is
// durable before sbatch is asked, and it is looked for by its name before it is submitted. Not
// thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "orchestrator/slurm/batch_script.h"
#include "orchestrator/slurm/slurm_jobs.h"

namespace marquee::orchestrator {

// "marquee-<label>-<8 hex>": the same for the same results folder and identity (what is computed),
// so that the same command finds its job again.
std::string job_name(const std::filesystem::path& results, const std::string& label,
                     std::string_view identity);

struct Submission {
  SubmittedJob job;
  JobStanding standing;    // before it was submitted; of a new one `lost`
  bool submitted = false;  // false: a job of that name waits or runs already
  std::string text;        // what was done, for people
};

// `job.name` and `job.folder` are set. Cancels all but the first of several jobs with the name,
// releases held ones, and submits where nothing of that name waits or runs. Throws Error{busy} when
// another job of this folder waits or runs and job.options name no dependency; environment when
// Slurm gives no answer.
Submission submit_once(const std::filesystem::path& results, const BatchJob& job);

}  // namespace marquee::orchestrator
