// The real coordinator with 1,000 simulated slots and 100,000 runs (tests/orchestrator/
// simulated_cluster.h), in counted time: what it does takes as long as it takes, what it waits for
// is skipped.
//
//   build/release/bin/marquee_sweep_simulation [--runs 100000] [--hosts 125] [--slots-per-host 8]
//       [--seconds 60] [--faults 0|1] [--seed 1] [--folder DIR]
//
// --seconds: of a run, on average. --faults 1: crashes, broken environments, missed deadlines, lost
// members, poison and old messages, as in tests/orchestrator/simulation_test.cpp.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <sys/resource.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "orchestrator/sweep/coordinator.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/orchestrator/simulated_cluster.h"
#include "tests/orchestrator/simulated_sweep.h"

namespace marquee::orchestrator {
namespace {

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int simulate(int argc, char** argv) {
  std::map<std::string, std::string> options{
      {"--runs", "100000"}, {"--hosts", "125"}, {"--slots-per-host", "8"}, {"--seconds", "60"},
      {"--faults", "1"},    {"--seed", "1"},    {"--folder", ""}};
  for (int i = 1; i < argc; i += 2) {
    if (!options.contains(argv[i]) || i + 1 == argc)
      cluster::throw_usage(std::string("options are those at the top of the source, not ") +
                           argv[i]);
    options[argv[i]] = argv[i + 1];
  }
  cluster::init_log({"", false, "error"});
  const cluster::TemporaryFolder temporary;
  const std::filesystem::path folder =
      options["--folder"].empty() ? temporary.path() : std::filesystem::path(options["--folder"]);
  SimulatedWorld world;
  world.hosts = std::stoi(options["--hosts"]);
  world.slots_per_host = std::stoi(options["--slots-per-host"]);
  world.time = SimulatedWorld::Time::counted;
  const int slots = world.hosts * world.slots_per_host;
  FaultScript script =
      options["--faults"] == "1" ? all_faults(std::stoull(options["--seed"])) : FaultScript();
  script.seed = std::stoull(options["--seed"]);
  script.seconds = std::stod(options["--seconds"]);
  const SweepOptions sweep =
      simulated_sweep(folder, std::stoul(options["--runs"]), world.slots_per_host);
  const double least = least_seconds(sweep, script, slots);

  Witness witness;
  const double before = processor_seconds(), begun = cluster::monotonic_seconds();
  SimulatedCluster cluster(world, script, witness);
  const int code = Coordinator(cluster, sweep, cluster).run();
  const double real = cluster::monotonic_seconds() - begun;
  const double worked = real - cluster.scripted_seconds() - cluster.commit_seconds();
  for (const std::string& complaint : witness.complaints())
    std::printf("BROKEN: %s\n", complaint.c_str());
  const auto bytes = [&](const char* name) {
    return static_cast<double>(std::filesystem::file_size(sweep.out / name)) / 1e6;
  };
  const auto row = [](const char* what, double value, const char* unit) {
    std::printf("%-44s %14.2f %s\n", what, value, unit);
  };
  row("exit code", code, "");
  row("slots", slots, "");
  row("attempts", static_cast<double>(witness.assignments()), "");
  row("messages", static_cast<double>(witness.messages()), "");
  row("end of the sweep, counted time", cluster.seconds(), "s");
  row("least that is possible without faults", least, "s");
  row("ratio", cluster.seconds() / least, "");
  row("wall time of the simulation", real, "s");
  row("of it the coordinator's work", worked, "s");
  row("of it waiting for commits", cluster.commit_seconds(), "s");
  row("processor time", processor_seconds() - before, "s");
  row("decisions (starts and ends) per second of work",
      static_cast<double>(witness.assignments() + witness.ends()) / worked, "1/s");
  row("coordinator at work, of counted time", 100 * worked / cluster.seconds(), "%");
  row("peak memory", static_cast<double>(cluster::peak_memory_bytes()) / 1e6, "MB");
  row("ledger.sqlite", bytes("ledger.sqlite"), "MB");
  row("results.sqlite", bytes("results.sqlite"), "MB");
  return witness.complaints().empty() ? 0 : 1;
}

}  // namespace
}  // namespace marquee::orchestrator

int main(int argc, char** argv) {
  try {
    return marquee::orchestrator::simulate(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "marquee_sweep_simulation: %s\n", error.what());
    return marquee::cluster::exit_code_of(error);
  }
}
