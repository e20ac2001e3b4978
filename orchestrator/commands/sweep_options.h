// The options that say which sweep, from what and where to: of plan, sweep, work, slurm submit and
// rerun.
#pragma once

#include "orchestrator/commands/commands.h"
#include "orchestrator/sweep/prepared_sweep.h"

namespace marquee::orchestrator {

// Those of `values` that the command declares. Throws usage for values that none can have.
SweepOptions sweep_options_from(const boost::program_options::variables_map& values);
// The same, and throws usage with `usage` unless one of FILE and --run-list is named.
SweepOptions named_sweep_from(const boost::program_options::variables_map& values,
                              const std::string& usage);

}  // namespace marquee::orchestrator
