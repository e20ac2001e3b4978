// marquee cancel: sets runs aside until a rerun is wanted.
#include <iostream>

#include "orchestrator/commands/change_runs.h"
#include "orchestrator/commands/choose_runs.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int cancel_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee cancel --out DIR (RUN... | --where SQL | --all)";
  line.text =
      "Sets runs aside: one that waits is not started, one that runs is stopped at a checkpoint,\n"
      "one that failed is not tried again; finished ones stay as they are. A later sweep leaves\n"
      "cancelled runs alone; marquee rerun takes them up again. RUN is a run id or the first four\n"
      "or more of its digits. While a sweep runs, its coordinator is told within seconds.\n\n"
      "  marquee cancel --out results --where \"task = 'svhn' AND status = 'pending'\"";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("all", "every run of the folder")                                                    //
      ("dry-run", "list the runs and change nothing")                                       //
      ("json", "one object with the runs and what became of the request");
  add_choice(line);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const bool dry_run = values.count("dry-run") > 0;
  const ChangedRuns changed = change_runs("cancel", values, values.count("all") > 0, dry_run);
  if (values.count("json") > 0) {
    std::cout << json_of("cancel", changed, dry_run) << "\n";
    return 0;
  }
  if (dry_run) {
    print_runs(changed.results, changed.chosen);
  } else {
    std::cout << outcome_text("cancelled", changed) << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
