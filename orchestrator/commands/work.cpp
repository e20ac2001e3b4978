// marquee work: runs of a sweep without MPI, beside any number of other workers.

#include "cluster/error.h"
#include "cluster/host.h"
#include "orchestrator/commands/sweep_options.h"
#include "orchestrator/sweep/trainer_process.h"
#include "orchestrator/sweep/worker.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine work_line() {
  CommandLine line;
  line.usage = "marquee work FILE --out DIR [options]";
  line.text =
      "Computes runs of the sweep FILE (YAML) one after another, without MPI and a coordinator.\n"
      "Any number of such workers, on any hosts that see DIR, share the sweep: each claims a run "
      "in\n"
      "DIR/claims before it starts and renews the claim while it works; a claim that stands still\n"
      "for 60 s is taken over. For job arrays (marquee slurm submit --array N) and for schedulers\n"
      "other than Slurm. While a coordinator (marquee sweep) holds DIR, this ends with 75.\n\n"
      "  marquee work experiments/quickstart.yaml --out results/quickstart &\n"
      "  marquee work experiments/quickstart.yaml --out results/quickstart &\n\n"
      "Whoever finds nothing left to claim waits for the others, to take over what the dead "
      "leave.\n\n"
      "Exit codes: 0 when every run is done; 1 runs were set aside or cancelled; 2 usage; 3\n"
      "environment; 75 a coordinator holds DIR; 124 out of time; 128 + signal after a graceful "
      "stop.";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder, made when missing")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models (default: MARQUEE_ASSETS, else the installed ones)")  //
      ("stage", po::value<std::string>()->value_name("DIR[:SIZE]")->default_value(""),
       "as of marquee sweep")  //
      ("subset", po::value<std::string>()->default_value(""),
       "only the runs of this named subset of the sweep file")                            //
      ("time-limit", po::value<std::string>()->default_value(""), "as of marquee sweep")  //
      ("time-margin", po::value<double>()->default_value(SweepOptions().time_margin),
       "seconds before that end at which the run is stopped")  //
      ("since", po::value<std::string>()->default_value(""),
       "UTC (2026-01-31T12:00:00.000Z): attempts that failed before do not count against their "
       "runs "
       "(default: now; workers that were started together should say the same)")  //
      ("leave-rest",
       "end, with 0, when all that is left is being computed by others that live (elements of an "
       "array, which would hold their nodes for nothing: the last one tells)")  //
      ("simulate", "no-op trainers, as of marquee sweep")                       //
      ("json", "machine-readable summary on standard output")                   //
      ("quiet,q", "no progress on standard error");
  line.hidden.add_options()                                                                    //
      ("file", po::value<std::string>()->value_name("FILE")->default_value(""), "sweep FILE")  //
      ("run-list", po::value<std::string>()->value_name("FILE")->default_value(""),
       "of marquee rerun --slurm");
  line.positional.add("file", 1);
  return line;
}

// "2026-01-31T12:00:00.000Z".
void check_time(const std::string& text) {
  const std::string form = "0000-00-00T00:00:00.000Z";
  bool good = text.size() == form.size();
  for (std::size_t i = 0; good && i < form.size(); ++i)
    good = form[i] == '0' ? std::isdigit(static_cast<unsigned char>(text[i])) != 0
                          : text[i] == form[i];
  if (!good) cluster::throw_usage("--since is '" + text + "'; expected UTC as in " + form);
}

}  // namespace

int work_command(const Arguments& arguments) {
  CommandLine line = work_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  SweepOptions options = named_sweep_from(values, line.usage);
  options.leave_rest = values.count("leave-rest") > 0;
  std::string since = values["since"].as<std::string>();
  if (since.empty()) {
    since = cluster::utc_now();
  } else {
    check_time(since);
  }
  log_warnings_alone();
  PreparedSweep prepared = prepare_sweep(options);
  if (options.simulate && !prepared.sweep.simulation.files)
    cluster::throw_usage(
        "a simulation without files (simulate: files: false) leaves nothing that "
        "workers could share");
  options.simulate ? find_simulated_trainer() : find_trainer();
  return Worker(options, std::move(prepared), since).run();
}

}  // namespace marquee::orchestrator
