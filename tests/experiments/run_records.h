// Runs, sweeps and attempt records for tests of the ledger and of what feeds it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run_folder.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

RunConfig run_with_seed(std::uint64_t seed);
SweepFile two_runs();  // seeds 0 and 1, named "two"
AttemptRecord record_of(const RunConfig& run, int attempt, const std::string& status,
                        double fid = 1.5);
// Rows of results.sqlite below `results`, as text.
std::vector<std::vector<std::string>> published(const std::filesystem::path& results,
                                                const std::string& sql);

}  // namespace marquee::experiments
