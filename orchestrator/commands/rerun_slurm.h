// `marquee rerun --slurm`: the chosen runs, or those that --set derives, as a job of a Slurm
// cluster.
#pragma once

#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/rerun_set.h"

namespace marquee::orchestrator {

// Declares --slurm, --print and how the job is run.
void add_rerun_slurm(CommandLine& line);

// Wants the chosen runs again and submits what computes them; where such a job waits or runs
// already, only says so. The exit code.
int submit_rerun(const boost::program_options::variables_map& values);
// The same for derived runs.
int submit_derived(const DerivedPlan& plan, const boost::program_options::variables_map& values);

}  // namespace marquee::orchestrator
