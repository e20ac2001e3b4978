// marquee sweep: the main job. Started by mpirun it is a rank; else it starts itself under mpirun.
#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/mpi_session.h"
#include "cluster/stop_signal.h"
#include "orchestrator/commands/sweep_options.h"
#include "orchestrator/human.h"
#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/agent.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/launch.h"
#include "orchestrator/sweep/progress_line.h"
#include "orchestrator/sweep/run_list.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine sweep_line() {
  CommandLine line;
  line.usage = "marquee sweep FILE --out DIR [options]";
  line.text =
      "Runs every run of the sweep FILE (YAML) and keeps the results in DIR. The same command\n"
      "started again goes on where it stopped: finished runs are kept, others resume from their\n"
      "last checkpoint, failed ones are tried anew. One coordinator (rank 0) hands the runs to\n"
      "agents (all other ranks), each with one trainer process.\n\n"
      "  marquee sweep experiments/quickstart.yaml --out results/quickstart --workers 2\n"
      "  mpirun --oversubscribe -n 9 marquee sweep FILE --out DIR --data TFDS_FOLDER\n\n"
      "SIGTERM or SIGINT stops gracefully: checkpoints are written, exit code 128 + signal. (An\n"
      "mpirun started by hand passes SIGUSR1 and SIGUSR2 on for them; SIGTERM to it leaves its\n"
      "ranks one second.)\n\n"
      "Inside an allocation with an end (--time-limit, or Slurm's) nothing starts that cannot\n"
      "reach a checkpoint in time, and what runs is stopped in time to write one; when runs are\n"
      "left then, the exit code is 124: start the same command again. Exit codes: 0 every run is\n"
      "done, 1 some failed or are cancelled, 2 usage, 3 environment, 4 defect, 75 another\n"
      "coordinator holds the folder, 124 out of time, 128 + signal.\n\n"
      "The environment variable MARQUEE_TRAINER names another trainer program than the\n"
      "marquee-trainer beside this one.";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder, made when missing")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models (default: MARQUEE_ASSETS, else the installed ones)")  //
      ("stage", po::value<std::string>()->value_name("DIR[:SIZE]")->default_value(""),
       "DIR or DIR:SIZE on each host's own disk: data and weights are copied there once and read "
       "from there (default: MARQUEE_STAGE, else nothing is copied)")  //
      ("workers,n", po::value<int>()->default_value(0),
       "agents to start when not under mpirun (default: the slots of this host)")  //
      ("slots-per-host", po::value<int>()->default_value(0),
       "trainers a host may run (default: its GPUs, else cores / threads); cores may be shared")  //
      ("subset", po::value<std::string>()->default_value(""),
       "only the runs of this named subset of the sweep file")  //
      ("max-fails", po::value<int>()->default_value(0),
       "stop when this many runs have been set aside (default: go on with the others)")  //
      ("time-limit", po::value<std::string>()->default_value(""),
       "when the allocation ends: seconds from now, HH:MM:SS, D-HH:MM:SS, or none (default: "
       "SLURM_JOB_END_TIME where Slurm sets it)")  //
      ("time-margin", po::value<double>()->default_value(SweepOptions().time_margin),
       "seconds before that end at which everything is stopped")  //
      ("probe",
       "where no finished run tells how long runs take, time a few steps first (marquee plan does "
       "it, too); else the longest are guessed from their sizes")  //
      ("simulate",
       "no-op trainers instead of real ones, as the sweep's block `simulate` says; needs neither "
       "LibTorch nor data")  //
      ("dry-run",
       "check everything, list the runs in starting order, compute nothing (marquee plan also "
       "predicts time, memory and disk)")                      //
      ("json", "machine-readable summary on standard output")  //
      ("quiet,q", "no progress on standard error");
  line.hidden.add_options()                                                                    //
      ("file", po::value<std::string>()->value_name("FILE")->default_value(""), "sweep FILE")  //
      ("run-list", po::value<std::string>()->value_name("FILE")->default_value(""),
       "of marquee rerun");
  line.positional.add("file", 1);
  return line;
}

int dry_run(const SweepOptions& options) {
  if (rank_from_environment() != 0) return 0;
  const PreparedSweep prepared = prepare_sweep(options);
  std::vector<PlannedRun> order = plan_runs(prepared.sweep.runs);
  sort_for_start(order);
  nlohmann::json list = nlohmann::json::array();
  for (const PlannedRun& next : order) {
    const experiments::RunConfig& run = prepared.sweep.runs[next.position];
    if (options.json) {
      list.push_back({{"run_id", next.run_id}, {"run", experiments::to_json(run)}});
    } else {
      std::cout << short_id(next.run_id) << "  " << run.task << "  " << run.shots << " shots  "
                << run.method << "  seed " << run.seed << "  " << run.steps << " steps  "
                << run.samples << " samples\n";
    }
  }
  if (options.json) {
    std::cout << nlohmann::json{{"sweep", prepared.sweep.name}, {"runs", list}}.dump() << "\n";
  } else {
    std::cout << prepared.sweep.runs.size() << " runs in sweep " << prepared.sweep.name << "\n";
  }
  return 0;
}

int start_under_mpirun(const SweepOptions& options, const Arguments& arguments) {
  experiments::SweepFile sweep;
  if (options.run_list.empty()) {
    sweep = experiments::load_sweep(options.file, options.subset);
  } else {
    sweep.runs = read_run_list(options.run_list).runs;
  }
  // The ranks write through mpirun's pipes.
  if (const int columns = terminal_columns(); columns > 0)
    setenv(kTerminalVariable, std::to_string(columns).c_str(), 1);
  const int workers = workers_for(options, sweep);
  Arguments forwarded = {"sweep"};
  forwarded.insert(forwarded.end(), arguments.begin(), arguments.end());
  return run_under_mpirun(forwarded, workers);
}

int be_rank(const SweepOptions& options) {
  int argc = 0;
  char** argv = nullptr;
  cluster::MpiSession session(argc, argv);
  cluster::install_stop_signals();
  cluster::LogOptions log;
  log.who = cluster::host_name() + "/" + std::to_string(session.rank());
  log.quiet = true;
  cluster::init_log(log);
  int code = 0;
  try {
    if (session.rank() == 0) {
      Coordinator coordinator(session, options);
      code = coordinator.run();
      if (coordinator.lost_agent()) session.abort(code);
    } else {
      code = Agent(session).run();
    }
  } catch (const std::exception& error) {
    // An agent that cannot go on takes the whole MPI world down; the ledger is the truth.
    cluster::log_error("agent", error.what());
    session.abort(cluster::exit_code_of(error));
  }
  session.finalize();
  return code;
}

}  // namespace

int sweep_command(const Arguments& arguments) {
  CommandLine line = sweep_line();
  SweepOptions options;
  bool only_check = false;
  try {
    const po::variables_map values = parse(line, arguments);
    if (values.count("help") > 0 && rank_from_environment() != 0) return 0;
    if (answered(line, values)) return 0;
    options = named_sweep_from(values, line.usage);
    only_check = values.count("dry-run") > 0;
  } catch (const cluster::Error& error) {
    // Every rank sees the same words; one of them complains. The others end well: the first that
    // fails makes mpirun kill the rest, the one that speaks among them.
    if (rank_from_environment() != 0) return 0;
    throw;
  }
  if (only_check) return dry_run(options);
  return started_by_mpi() ? be_rank(options) : start_under_mpirun(options, arguments);
}

}  // namespace marquee::orchestrator
