#include "orchestrator/commands/commands.h"

#include <cstdio>
#include <iostream>

#include "cluster/build_info.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/suggest.h"

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
      << "\nmarquee COMMAND --help explains each; marquee --version and --build-info tell\n"
         "what this program is.\n\n"
         "Exit codes: 0 done, 1 some runs failed, 2 usage, 3 environment, 4 defect,\n"
         "75 another coordinator holds the results folder, 124 out of time, 128 + signal after\n"
         "a graceful stop.\n";
}

void print_build_info() {
  std::cout << "version   " << cluster::build_version() << "\n"
            << "commit    " << cluster::build_commit() << "\n"
            << "compiler  " << cluster::build_compiler() << "\n"
            << "type      " << cluster::build_type() << "\n"
            << "cuda      " << (cluster::built_with_cuda() ? "yes" : "no") << "\n";
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      {"plan", "what a sweep would do, need and take; what is missing", plan_command},
      {"sweep", "run a sweep file: every run, under mpirun, resumable", sweep_command},
      {"work", "runs of a sweep without MPI, shared with other workers", work_command},
      {"slurm", "sweeps as jobs of a Slurm cluster", slurm_command},
      {"status", "how far a results folder is", status_command},
      {"explain", "everything known about one run", explain_command},
      {"cancel", "set runs aside", cancel_command},
      {"rerun", "a new attempt of finished, failed or cancelled runs", rerun_command},
      {"query", "ask the results database in SQL", query_command},
      {"compare", "methods, runs, sweeps or databases against each other, with statistics",
       compare_command},
      {"diff", "in what two runs, or two attempts of one, differ", diff_command},
      {"report", "write report/index.html and report/table.md", report_command},
      {"ablations", "what each factor of a sweep does, as a page with charts", ablations_command},
      {"gc", "free what finished runs no longer need", gc_command},
      {"data", "the tasks, and what a data folder holds of them", data_command},
      {"doctor", "check this machine and installation", doctor_command},
      {"run", "one run, here, without MPI", run_command},
      {"sample", "generate images from a run, a prompt file or a base", sample_command},
      {"evaluate", "metrics of any two sets of images, as the field's tools compute them",
       evaluate_command},
      {"export", "what a run has trained, as a file for others", export_command},
      {"pretrain", "make a base model from a recipe", pretrain_command},
      {"import", "make a base or a feature network from published checkpoints", import_command},
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
    std::cout << "marquee " << cluster::build_version() << " (" << cluster::build_commit() << ")\n";
    return 0;
  }
  if (arguments[0] == "--build-info") {
    print_build_info();
    return 0;
  }
  if (arguments[0] == "--failpoints") {
    for (const std::string_view name : cluster::failpoint_names()) std::cout << name << "\n";
    return 0;
  }
  const Arguments rest(arguments.begin() + 1, arguments.end());
  std::vector<std::string> names;
  for (const Command& command : all_commands()) {
    if (command.name == arguments[0]) return command.run(rest);
    names.push_back(command.name);
  }
  cluster::throw_usage("unknown command '" + arguments[0] + "'" +
                       cluster::did_you_mean(arguments[0], names) + "; expected one of " +
                       cluster::join(names));
}

int dispatch_part(const std::string& command, const std::vector<Command>& parts,
                  const Arguments& arguments) {
  const std::string word = arguments.empty() ? "--help" : arguments[0];
  if (word == "--help" || word == "-h") {
    std::cout << "Usage: marquee " << command << " PART [options]\n\n";
    for (const Command& part : parts)
      std::cout << "  " << part.name << std::string(9 - part.name.size(), ' ') << part.summary
                << "\n";
    std::cout << "\nmarquee " << command << " PART --help says more.\n";
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& part : parts) {
    if (word == part.name) return part.run({arguments.begin() + 1, arguments.end()});
    names.push_back(part.name);
  }
  cluster::throw_usage("unknown part '" + word + "' of marquee " + command +
                       cluster::did_you_mean(word, names) + "; expected one of " +
                       cluster::join(names));
}

void log_warnings_alone() {
  cluster::LogOptions log;
  log.who = cluster::host_name();
  log.quiet = true;
  cluster::init_log(log);
}

std::filesystem::path published_results(const std::string& out) {
  const std::filesystem::path folder(out);
  if (!std::filesystem::is_directory(folder)) {
    cluster::throw_environment("no results folder at " + out +
                               ": --out must name the folder that marquee sweep wrote");
  }
  const std::filesystem::path database = folder / "results.sqlite";
  if (!std::filesystem::exists(database)) {
    cluster::throw_environment("no results.sqlite in " + out +
                               ": no sweep has published results there yet");
  }
  return database;
}

}  // namespace marquee::orchestrator
