#include "orchestrator/planning/probe.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/host.h"
#include "cluster/program_output.h"
#include "cluster/scratch_folder.h"
#include "experiments/phase_times.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Answer {
  std::optional<experiments::PhaseTimes> times;
  std::string machine;  // of its fingerprint
  std::string problem;  // why there are no times
};

Answer answer_in(const std::string& output) {
  Answer answer;
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

Answer probe(const fs::path& trainer, const experiments::RunConfig& run, const fs::path& assets,
             double patience_seconds) {
  const cluster::ScratchFolder scratch;
  const fs::path config = scratch.path() / "run.yaml";
  cluster::write_file_durably(config, experiments::to_yaml(run));
  const cluster::ProgramOutput output = cluster::run_program(
      {trainer.string(), "probe", "--config", config.string(), "--assets", assets.string()},
      patience_seconds, environment_of_trainer(run.threads));
  if (output.took_too_long) return {std::nullopt, "", "the probe took longer than it may"};
  if (output.status != cluster::ExitStatus{0, 0})
    return {std::nullopt, "", "the trainer's probe ended with " + output.status.describe()};
  return answer_in(output.out);
}

}  // namespace

ProbedRuns probe_each(const fs::path& trainer,
                      const std::vector<const experiments::RunConfig*>& runs,
                      const fs::path& assets, double patience_seconds) {
  ProbedRuns probed;
  double left = patience_seconds;
  for (const experiments::RunConfig* run : runs) {
    if (left <= 0 || !probed.problem.empty()) break;
    if (probed.times.predict(*run)) continue;
    const double started = cluster::monotonic_seconds();
    const Answer answer = probe(trainer, *run, assets, left);
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
