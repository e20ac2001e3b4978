// The options of `marquee slurm submit` and `marquee rerun --slurm` that say how a job is to be
// run, and their way into a batch script. Not thread safe.
#pragma once

#include <filesystem>

#include "cluster/command_line.h"
#include "orchestrator/slurm/batch_script.h"

namespace marquee::orchestrator {

void add_slurm_options(boost::program_options::options_description& options);

// Everything of the job that the options say; name, title, folder and arguments are the caller's.
// `threads`: of a trainer, the cores of a slot where none are named. Throws usage.
BatchJob batch_job_from(const boost::program_options::variables_map& values, int threads);

}  // namespace marquee::orchestrator
