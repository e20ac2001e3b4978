#include "orchestrator/sweep/prepared_sweep.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/gpu_list.h"
#include "cluster/host.h"
#include "cluster/text.h"
#include "experiments/base_manifest.h"
#include "experiments/sweep_inputs.h"
#include "orchestrator/scheduling/slots.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;

// Runs that are wanted again can be computed with the weights and data that they were planned with.
void check_unchanged(const std::vector<experiments::RunConfig>& listed,
                     const std::vector<experiments::RunConfig>& resolved) {
  if (!listed.empty() && listed.size() != resolved.size()) {
    cluster::throw_environment(
        "runs of the list are one with the weights and data that are here: they were planned with "
        "others");
  }
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (experiments::run_id(listed[i]) == experiments::run_id(resolved[i])) continue;
    cluster::throw_environment("run " + experiments::run_id(listed[i]).short_text() +
                               " was planned with other weights or data than are here: expected "
                               "base " +
                               listed[i].base_hash + " and data " + listed[i].data_hash +
                               ", found " + resolved[i].base_hash + " and " +
                               resolved[i].data_hash);
  }
}

}  // namespace

PreparedSweep prepare_sweep(const SweepOptions& options) {
  PreparedSweep prepared;
  if (options.run_list.empty()) {
    prepared.sweep = experiments::load_sweep(options.file, options.subset);
  } else {
    prepared.list = read_run_list(options.run_list);
    prepared.sweep.runs = prepared.list.runs;
    prepared.sweep.file = options.run_list;
  }
  const std::vector<experiments::RunConfig>& listed = prepared.list.runs;
  if (options.simulate) {
    experiments::mark_simulated(prepared.sweep);
    check_unchanged(listed, prepared.sweep.runs);
    return prepared;
  }
  prepared.assets = experiments::find_assets_dir(options.assets);
  prepared.data = find_data_dir(options.data);
  std::vector<std::string> checked;
  for (const experiments::RunConfig& run : prepared.sweep.runs) {
    if (std::find(checked.begin(), checked.end(), run.base) != checked.end()) continue;
    checked.push_back(run.base);
    experiments::verify_base(experiments::load_base_manifest(prepared.assets, run.base));
  }
  experiments::resolve_hashes(prepared.sweep, prepared.assets, prepared.data);
  check_unchanged(listed, prepared.sweep.runs);
  prepared.assets = fs::canonical(prepared.assets);
  return prepared;
}

fs::path find_data_dir(const fs::path& named) {
  if (named.empty()) return {};
  if (!fs::is_directory(named)) {
    cluster::throw_environment("no data folder at " + cluster::printable(named.string()) +
                               ": --data must name a folder of TFDS data sets");
  }
  return fs::canonical(named);
}

int threads_of(const std::vector<experiments::RunConfig>& runs) {
  int threads = 1;
  for (const experiments::RunConfig& run : runs) threads = std::max(threads, run.threads);
  return threads;
}

int largest_gang(const std::vector<experiments::RunConfig>& runs) {
  int largest = 1;
  for (const experiments::RunConfig& run : runs)
    largest = std::max(largest, experiments::gang_size(run));
  return largest;
}

int workers_for(const SweepOptions& options, const experiments::SweepFile& sweep) {
  if (options.workers > 0) return options.workers;
  HostFacts host;
  host.host = cluster::host_name();
  host.cpus = cluster::available_cpus();
  host.gpus = static_cast<int>(cluster::visible_gpus().size());
  const int slots = slots_of_host(host, threads_of(sweep.runs), options.slots_per_host);
  return std::max(1, std::min(slots, static_cast<int>(sweep.runs.size())));
}

}  // namespace marquee::orchestrator
