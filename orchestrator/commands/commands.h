// The subcommands of `marquee`, one file each. A subcommand gets the words after its name and
// returns the exit code; it reports errors by throwing cluster::Error.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/command_line.h"

namespace marquee::orchestrator {

using cluster::answered;
using cluster::Arguments;
using cluster::CommandLine;
using cluster::parse;

struct Command {
  std::string name;
  std::string summary;  // one line for `marquee --help`
  int (*run)(const Arguments& arguments) = nullptr;
  // Instead of `run`: the commands behind its name, `list` of `marquee data` ...
  const std::vector<Command>& (*parts)() = nullptr;
  // ... or the command of marquee-trainer that it is handed over to.
  std::string handed_to{};
};

int plan_command(const Arguments& arguments);
int sweep_command(const Arguments& arguments);
int work_command(const Arguments& arguments);
const std::vector<Command>& slurm_commands();
int status_command(const Arguments& arguments);
int explain_command(const Arguments& arguments);
int cancel_command(const Arguments& arguments);
int rerun_command(const Arguments& arguments);
int query_command(const Arguments& arguments);
int compare_command(const Arguments& arguments);
int diff_command(const Arguments& arguments);
int merge_command(const Arguments& arguments);
const std::vector<Command>& export_commands();
int report_command(const Arguments& arguments);
int ablations_command(const Arguments& arguments);
int gc_command(const Arguments& arguments);
const std::vector<Command>& data_commands();
int doctor_command(const Arguments& arguments);
int completion_command(const Arguments& arguments);
int man_command(const Arguments& arguments);

const std::vector<Command>& all_commands();

// Looks up arguments[0] and runs it; --help, --version and the like are answered here. Throws usage
// for an unknown subcommand.
int dispatch(const Arguments& arguments);

// Becomes marquee-trainer (execv), which has its options; does not return.
int hand_over(const std::string& command, const Arguments& arguments);

// For a short command: warnings and errors on standard error, nothing else.
void log_warnings_alone();

// The folder named by --out, as its whole path. Throws environment when there is none.
std::filesystem::path existing_results(const std::string& out);
// Its published database. Throws environment when there is none.
std::filesystem::path published_results(const std::string& out);

}  // namespace marquee::orchestrator
