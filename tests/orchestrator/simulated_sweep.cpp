#include "tests/orchestrator/simulated_sweep.h"

#include <algorithm>
#include <string>

#include "cluster/durable_file.h"
#include "experiments/run_time_model.h"

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kRunsOfSeed = 22;  // 5 tasks x (3 + 1), and 2 gangs

std::string sweep_text(std::size_t runs) {
  std::string seeds;
  for (std::size_t seed = 0; seed < runs / kRunsOfSeed; ++seed)
    seeds += (seed > 0 ? ", " : "") + std::to_string(seed);
  return R"(name: simulated
oracles: false
defaults: {batch: 16, micro_batches: 4, samples: 100, decode_steps: 8}
methods:
  finetune: {gang: 4, steps: 800}
matrix:
  task: [drawn/dsprites_location, drawn/dsprites_orientation, drawn/shapes_count, drawn/shapes_distance, drawn/digits]
  shots: [5]
  method: [prompt]
  steps: [100, 200, 400]
  seed: [)" +
         seeds + R"(]
include:
  - {task: [drawn/dsprites_location, drawn/dsprites_orientation, drawn/shapes_count, drawn/shapes_distance, drawn/digits], shots: 5, method: none, seed: [)" +
         seeds + R"(]}
  - {task: [drawn/shapes_count, drawn/digits], shots: 5, method: finetune, seed: [)" +
         seeds + R"(]}
simulate: {files: false}
)";
}

}  // namespace

SweepOptions simulated_sweep(const std::filesystem::path& folder, std::size_t runs,
                             int slots_per_host) {
  SweepOptions options;
  options.file = folder / "simulated.yaml";
  options.out = folder / "results";
  options.slots_per_host = slots_per_host;
  options.simulate = options.quiet = options.json = true;
  cluster::write_file_durably(options.file, sweep_text(runs));
  return options;
}

double least_seconds(const SweepOptions& options, FaultScript& script, int slots) {
  const experiments::SweepFile sweep = prepare_sweep(options).sweep;
  script.mean_cost = 0;
  for (const experiments::RunConfig& run : sweep.runs)
    script.mean_cost += expected_cost(run) / static_cast<double>(sweep.runs.size());
  double work = 0, longest = 0;
  for (const experiments::RunConfig& run : sweep.runs) {
    const double seconds = script.seconds_of(experiments::run_id(run).text(), run);
    work += seconds * experiments::gang_size(run);
    longest = std::max(longest, seconds);
  }
  return std::max(work / slots, longest);
}

}  // namespace marquee::orchestrator
