// marquee simulate-trainer: what agents start instead of marquee-trainer in a simulated sweep.
#include "cluster/die_with_parent.h"
#include "cluster/log.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/simulated_trainer.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int simulate_trainer_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee simulate-trainer --control-fd N --parent-pid PID [--threads T]";
  line.text = "Started by an agent of marquee sweep --simulate; ends with it.";
  line.options.add_options()                                                          //
      ("control-fd", po::value<int>()->required(), "descriptor of the channel")       //
      ("parent-pid", po::value<int>()->required(), "the agent; its death ends this")  //
      ("threads", po::value<int>()->default_value(1), "taken and not used");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  cluster::die_with_parent(values["parent-pid"].as<int>());
  cluster::LogOptions log;
  log.who = "trainer";
  cluster::init_log(log);
  SimulatedTrainer(values["control-fd"].as<int>()).serve();
  return 0;
}

}  // namespace marquee::orchestrator
