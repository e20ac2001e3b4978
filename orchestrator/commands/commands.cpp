#include "orchestrator/commands/commands.h"

#include <algorithm>
#include <iostream>

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/suggest.h"
#include "experiments/results_folder.h"
#include "orchestrator/shell/described_commands.h"
#include "orchestrator/shell/version_text.h"

namespace marquee::orchestrator {
namespace {

void print_help() {
  std::cout << "Usage: marquee COMMAND [options]\n\n"
               "Adapts a pretrained generative vision transformer to tasks by prompt tuning and\n"
               "the methods it is compared with, and measures what comes out.\n\nCommands:\n";
  for (const Command& command : all_commands()) {
    std::cout << "  " << command.name << std::string(12 - command.name.size(), ' ')
              << command.summary << "\n";
  }
  std::cout
      << "\nmarquee COMMAND --help explains each; marquee --version tells what this\n"
         "program is; marquee completion --help how to have a shell complete commands.\n\n"
         "Exit codes: 0 done, 1 some runs failed, 2 usage, 3 environment, 4 defect,\n"
         "75 another coordinator holds the results folder, 124 out of time, 128 + signal after\n"
         "a graceful stop.\n";
}

void print_parts(const Command& command) {
  std::cout << "Usage: marquee " << command.name << " PART [options]\n\n";
  std::size_t width = 0;
  for (const Command& part : command.parts()) width = std::max(width, part.name.size());
  for (const Command& part : command.parts())
    std::cout << "  " << part.name << std::string(width + 2 - part.name.size(), ' ') << part.summary
              << "\n";
  std::cout << "\nmarquee " << command.name << " PART --help says more.\n";
}

const Command& find_command(const std::vector<Command>& commands, const std::string& word,
                            const std::string& what) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == word) return command;
    names.push_back(command.name);
  }
  cluster::throw_usage("unknown " + what + cluster::did_you_mean(word, names) +
                       "; expected one of " + cluster::join(names));
}

int run_command(const Command& command, const Arguments& arguments) {
  if (!command.handed_to.empty()) return hand_over(command.handed_to, arguments);
  if (command.parts == nullptr) return command.run(arguments);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print_parts(command);
    return 0;
  }
  const Command& part = find_command(command.parts(), arguments[0],
                                     "part '" + arguments[0] + "' of marquee " + command.name);
  return run_command(part, {arguments.begin() + 1, arguments.end()});
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      {"plan", "what a sweep would do, need and take; what is missing", plan_command},
      {"sweep", "run a sweep file: every run, under mpirun, resumable", sweep_command},
      {"work", "runs of a sweep without MPI, shared with other workers", work_command},
      {"slurm", "sweeps as jobs of a Slurm cluster", nullptr, slurm_commands},
      {"status", "how far a results folder is", status_command},
      {"explain", "everything known about one run", explain_command},
      {"cancel", "set runs aside", cancel_command},
      {"rerun", "a new attempt of finished, failed or cancelled runs", rerun_command},
      {"query", "ask the results: questions by name, filters or SQL", query_command},
      {"compare", "methods, runs, sweeps or databases against each other, with statistics",
       compare_command},
      {"diff", "in what two runs, or two attempts of one, differ", diff_command},
      {"merge", "the results of other folders, taken over into one", merge_command},
      {"report", "write report/index.html and report/table.md", report_command},
      {"ablations", "what each factor of a sweep does, as a page with charts", ablations_command},
      {"gc", "free what finished runs no longer need", gc_command},
      {"data", "the tasks, and what a data folder holds of them", nullptr, data_commands},
      {"doctor", "check this machine and installation", doctor_command},
      {"run", "one run, here, without MPI", nullptr, nullptr, "run"},
      {"sample", "generate images from a run, a prompt file or a base", nullptr, nullptr, "sample"},
      {"evaluate", "metrics of any two sets of images, as the field's tools compute them", nullptr,
       nullptr, "evaluate"},
      {"export", "results for other programs: CSV, TensorBoard, cards, prompts", nullptr,
       export_commands},
      {"pretrain", "make a base model from a recipe", nullptr, nullptr, "pretrain"},
      {"import", "make a base or a feature network from published checkpoints", nullptr, nullptr,
       "import"},
      {"completion", "a script that completes commands in bash, zsh or fish", completion_command},
      {"man", "the manual's pages", man_command},
  };
  return commands;
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    print_help();
    return 0;
  }
  if (arguments[0] == "--version") {
    std::cout << version_text();
    return 0;
  }
  if (arguments[0] == "--describe") {
    std::cout << cluster::to_json(describe_commands()) << "\n";
    return 0;
  }
  if (arguments[0] == "--failpoints") {
    for (const std::string_view name : cluster::failpoint_names()) std::cout << name << "\n";
    return 0;
  }
  const Command& command =
      find_command(all_commands(), arguments[0], "command '" + arguments[0] + "'");
  return run_command(command, {arguments.begin() + 1, arguments.end()});
}

void log_warnings_alone() {
  cluster::LogOptions log;
  log.who = cluster::host_name();
  log.quiet = true;
  cluster::init_log(log);
}

std::filesystem::path existing_results(const std::string& out) {
  if (!std::filesystem::is_directory(out)) {
    cluster::throw_environment("no results folder at " + out +
                               ": --out must name the folder that marquee sweep wrote");
  }
  return std::filesystem::canonical(out);
}

std::filesystem::path published_results(const std::string& out) {
  existing_results(out);
  const std::filesystem::path database = std::filesystem::path(out) / experiments::kPublishedFile;
  if (!std::filesystem::exists(database)) {
    cluster::throw_environment("no results.sqlite in " + out +
                               ": no sweep has published results there yet");
  }
  return database;
}

}  // namespace marquee::orchestrator
