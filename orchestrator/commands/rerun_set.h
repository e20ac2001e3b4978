// `marquee rerun --set KEY=VALUE`: which runs are derived from the chosen ones, and what is known
// of them. Writes nothing; write_run_list(file, plan.derived.list) hands the runs to whoever
// computes them (marquee sweep --run-list).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/sweep/derived_runs.h"

namespace marquee::orchestrator {

// Of runs that a published database holds, by their ids. Throws environment for one that is
// damaged.
std::vector<experiments::RunConfig> configurations(const std::filesystem::path& database,
                                                   const std::vector<std::string>& chosen);

// Declares --set.
void add_set(CommandLine& line);

struct DerivedPlan {
  std::filesystem::path results;                          // absolute
  std::map<std::string, experiments::RunConfig> origins;  // the chosen runs, by id
  DerivedRuns derived;
  std::map<std::string, std::string> statuses;  // of derived runs that the folder knows, by id

  bool all_done() const;
};

// Of the words of the command line: --out, RUN... or --where, --set, --data, --assets, --simulate.
// Throws as chosen_runs and derive_runs do, and usage where nothing is left to derive.
DerivedPlan plan_derived(const boost::program_options::variables_map& values);

// A line a derived run: its keys with old and new values, its origins, its status.
std::string runs_text(const DerivedPlan& plan);
// How many, and which of the chosen runs were left out and why.
std::string counts_text(const DerivedPlan& plan);
// The same as data; "differences" as of marquee sweep, or null while not all runs are done.
nlohmann::json json_of(const DerivedPlan& plan, bool dry_run);

}  // namespace marquee::orchestrator
