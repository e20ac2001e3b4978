// A list of runs in a file, in place of a sweep file: how `marquee rerun --workers` tells the sweep
// that it starts what to compute. JSON: {"runs": [configuration, ...]} with every run key, hashes
// as well. Not thread safe.
#pragma once

#include <filesystem>
#include <vector>

#include "experiments/sweep_file.h"

namespace marquee::orchestrator {

void write_run_list(const std::filesystem::path& file,
                    const std::vector<experiments::RunConfig>& runs);
// As a sweep without a name. Throws environment naming the file.
experiments::SweepFile read_run_list(const std::filesystem::path& file);

}  // namespace marquee::orchestrator
