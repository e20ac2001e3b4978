// The runs that a command line names: by id or the start of one, by a condition, or all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

// Declares RUN... and --where.
void add_choice(CommandLine& line);
// The only run whose id starts with `prefix`. Throws usage when there is none, or several.
std::string whole_id(const std::filesystem::path& database, const std::string& prefix);
// Runs named by RUN... or by --where, or every one where `all`; each once. Throws usage when not
// exactly one of the ways is used, and when nothing is chosen.
std::vector<std::string> chosen_runs(const std::filesystem::path& database,
                                     const boost::program_options::variables_map& values, bool all);

}  // namespace marquee::orchestrator
