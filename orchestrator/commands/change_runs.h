// What `marquee cancel` and `marquee rerun` share: choose runs, then change their state in the
// ledger, or hand the wish to whoever keeps it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

struct ChangedRuns {
  std::filesystem::path results;    // absolute
  std::vector<std::string> chosen;  // run ids
  std::string holder;     // who has the folder; empty: this command changed the ledger itself
  bool taken_in = false;  // by the holder, while this command watched
  std::vector<std::string> changed;                    // by this command itself
  std::vector<experiments::RunConfig> configurations;  // of those
};

// `kind`: cancel or rerun. `dry_run`: only chooses.
ChangedRuns change_runs(const std::string& kind,
                        const boost::program_options::variables_map& values, bool all,
                        bool dry_run);

// A line a chosen run, for people.
void print_runs(const std::filesystem::path& results, const std::vector<std::string>& runs);
// {"kind":..,"runs":[..],"dry_run":..,"changed":[..] or null,"holder":..,"taken_in":..}
std::string json_of(const std::string& kind, const ChangedRuns& changed, bool dry_run);
// "3 runs cancelled", "handed to ..., who has taken it in": what became of it.
std::string outcome_text(const std::string& done, const ChangedRuns& changed);

}  // namespace marquee::orchestrator
