#include "orchestrator/planning/probe.h"

#include <algorithm>
#include <csignal>
#include <sstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cluster/child_process.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "orchestrator/sweep/scratch_folder.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr useconds_t kNapMicroseconds = 20'000;
constexpr std::uintmax_t kMostOutput = std::uintmax_t{1} << 20;

ProbeAnswer answer_in(const std::string& output) {
  ProbeAnswer answer;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!content.is_object() || !content.contains(experiments::kTimingKey)) continue;
    answer.times = experiments::phase_times_from_json(content.at(experiments::kTimingKey));
    answer.machine = experiments::machine_of(content.value("fingerprint", json()));
  }
  if (!answer.times) answer.problem = "the trainer's probe gave no sound answer";
  return answer;
}

}  // namespace

ProbeAnswer probe(const fs::path& trainer, const experiments::RunConfig& run,
                  const fs::path& assets, double patience_seconds) {
  const ScratchFolder scratch;
  const fs::path config = scratch.path() / "run.yaml", output = scratch.path() / "output";
  cluster::write_file_durably(config, experiments::to_yaml(run));
  cluster::SpawnOptions options;
  options.argv = {trainer.string(), "probe",    "--config",
                  config.string(),  "--assets", assets.string()};
  options.environment = cluster::clean_environment();
  options.environment.push_back("OMP_NUM_THREADS=" + std::to_string(run.threads));
  options.environment.push_back("MKL_NUM_THREADS=" + std::to_string(run.threads));
  options.log_file = output;
  cluster::ChildProcess child = cluster::ChildProcess::spawn(options);
  const double give_up = cluster::monotonic_seconds() + patience_seconds;
  while (!child.try_wait()) {
    if (cluster::monotonic_seconds() > give_up) {
      child.kill(SIGKILL);
      child.wait();
      return {std::nullopt, "", "the probe took longer than it may"};
    }
    usleep(kNapMicroseconds);
  }
  const cluster::ExitStatus status = child.wait();
  if (status != cluster::ExitStatus{0, 0})
    return {std::nullopt, "", "the trainer's probe ended with " + status.describe()};
  return answer_in(cluster::read_file(output, kMostOutput));
}

ProbedRuns probe_each(const fs::path& trainer,
                      const std::vector<const experiments::RunConfig*>& runs,
                      const fs::path& assets, double patience_seconds) {
  ProbedRuns probed;
  double left = patience_seconds;
  for (const experiments::RunConfig* run : runs) {
    if (left <= 0 || !probed.problem.empty()) break;
    if (probed.times.predict(*run)) continue;
    const double started = cluster::monotonic_seconds();
    const ProbeAnswer answer = probe(trainer, *run, assets, left);
    left -= cluster::monotonic_seconds() - started;
    if (answer.times) {
      probed.times.add(*run, answer.machine, *answer.times);
      probed.peak_bytes = std::max(probed.peak_bytes, answer.times->peak_bytes);
    } else {
      probed.problem = answer.problem;
    }
  }
  return probed;
}

}  // namespace marquee::orchestrator
