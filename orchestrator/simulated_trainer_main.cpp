// marquee-simulated-trainer: what agents start instead of marquee-trainer in a simulated sweep. A
// program of its own, so that it starts in a millisecond where a sweep wants a process for each
// run.
#include <exception>
#include <iostream>

#include "cluster/command_line.h"
#include "cluster/die_with_parent.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "cluster/text.h"
#include "orchestrator/simulated_trainer.h"

namespace marquee {
namespace {

namespace po = boost::program_options;

int serve(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee-simulated-trainer serve --control-fd N --parent-pid PID [--threads T]";
  line.text = "Started by an agent of marquee sweep --simulate; ends with it.";
  line.options.add_options()                                                          //
      ("control-fd", po::value<int>()->required(), "descriptor of the channel")       //
      ("parent-pid", po::value<int>()->required(), "the agent; its death ends this")  //
      ("threads", po::value<int>()->default_value(1), "taken and not used");
  const po::variables_map values = cluster::parse(line, arguments);
  if (cluster::answered(line, values)) return 0;
  cluster::die_with_parent(values["parent-pid"].as<int>());
  cluster::leave_stop_signals_to_parent();
  cluster::LogOptions log;
  log.who = "trainer";
  cluster::init_log(log);
  orchestrator::SimulatedTrainer(values["control-fd"].as<int>()).serve();
  return 0;
}

}  // namespace
}  // namespace marquee

int main(int argc, char** argv) {
  try {
    if (argc < 2 || std::string(argv[1]) != "serve")
      marquee::cluster::throw_usage("expected: marquee-simulated-trainer serve [options]");
    return marquee::serve({argv + 2, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "marquee-simulated-trainer: error: "
              << marquee::cluster::printable(error.what(), true) << std::endl;
    return marquee::cluster::exit_code_of(error);
  }
}
