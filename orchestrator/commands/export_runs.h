// What `export tensorboard` and `export cards` have in common: which runs, and where to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/exported_runs.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

// Declares --out, --to and filters.
void add_export_options(CommandLine& line);

struct ExportChoice {
  std::vector<analysis::ExportedRun> runs;  // finished, as the filters say
  std::filesystem::path to;                 // is made
};
// Throws usage when no finished run is chosen, with what was asked for.
ExportChoice chosen_for_export(const boost::program_options::variables_map& values);

// Says on standard error what was left out; the exit code: 1 where something was.
int end_of_export(const std::vector<std::string>& left_out);

}  // namespace marquee::orchestrator
