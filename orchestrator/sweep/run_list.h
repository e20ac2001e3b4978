// A list of runs in a file, in place of a sweep file: what `marquee rerun` tells the sweep that it
// starts to compute. JSON: {"runs": [configuration, ...]} with every run key, hashes as well; of
// derived runs (derived_runs.h) also "from", for each run the ids of those that it was derived
// from, and "set", what was said. Not thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run_config.h"

namespace marquee::orchestrator {

struct RunList {
  std::vector<experiments::RunConfig> runs;      // no two with one id
  std::vector<std::vector<std::string>> from{};  // as many as runs where those are derived
  std::vector<std::string> set{};                // "prompt_length=16"

  bool derived() const { return !from.empty(); }
};

void write_run_list(const std::filesystem::path& file, const RunList& list);
// The file may be anybody's. Throws environment naming it, and what is wrong.
RunList read_run_list(const std::filesystem::path& file);

}  // namespace marquee::orchestrator
