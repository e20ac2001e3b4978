// marquee plan: what a sweep would do, before anything is computed.
#include <iostream>

#include "cluster/error.h"
#include "orchestrator/commands/sweep_options.h"
#include "orchestrator/planning/sweep_plan.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine plan_line() {
  CommandLine line;
  line.usage = "marquee plan FILE --out DIR [--data DIR] [options]";
  line.text =
      "Tells what `marquee sweep FILE --out DIR` would do: how many runs are left, how long they\n"
      "take with N workers (from finished runs of their kind in DIR, else from a short probe of "
      "the\n"
      "trainer), what they need of memory and disk, and everything that is missing, each with "
      "what\n"
      "to do. Writes nothing into DIR; a sweep may run there meanwhile.\n\n"
      "  marquee plan experiments/quickstart.yaml --out results --workers 2\n\n"
      "Exit codes: 0 the sweep can start, 2 a run of it is not possible, 3 something is missing.";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder of the sweep")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models (default: MARQUEE_ASSETS, else the installed ones)")  //
      ("workers,n", po::value<int>()->default_value(0),
       "agents that would run (default: the slots of this host)")  //
      ("slots-per-host", po::value<int>()->default_value(0),
       "trainers a host may run (default: its GPUs, else cores / threads)")  //
      ("subset", po::value<std::string>()->default_value(""),
       "only the runs of this named subset of the sweep file")                                    //
      ("simulate", "plan for no-op trainers: needs neither LibTorch nor data")                    //
      ("no-probe", "start no trainer to time a few steps; unknown times are called unknown")      //
      ("probe-seconds", po::value<double>()->default_value(120), "time for all probes together")  //
      ("json", "the whole plan as one JSON object (docs/sweeps.md)");
  line.hidden.add_options()("file", po::value<std::string>()->value_name("FILE")->required(),
                            "sweep FILE");
  line.positional.add("file", 1);
  return line;
}

PlanOptions options_from(const po::variables_map& values) {
  PlanOptions options{sweep_options_from(values), values["probe-seconds"].as<double>()};
  options.sweep.probe = values.count("no-probe") == 0;
  if (!(options.probe_seconds > 0)) cluster::throw_usage("--probe-seconds must be more than 0");
  return options;
}

}  // namespace

int plan_command(const Arguments& arguments) {
  CommandLine line = plan_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const SweepPlan plan = make_plan(options_from(values));
  if (values.count("json") > 0) {
    std::cout << to_json(plan).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << to_text(plan);
  }
  return plan.exit_code();
}

}  // namespace marquee::orchestrator
