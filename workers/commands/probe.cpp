// marquee-trainer probe: how fast and how large a run would be here, from a few tuning and decoding
// steps on random tokens. `marquee plan` asks it where no finished run can tell.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/phase_times.h"
#include "experiments/sweep_file.h"
#include "workers/commands/commands.h"
#include "workers/device.h"
#include "workers/evaluation/score.h"
#include "workers/features/feature_files.h"
#include "workers/image_tensor.h"
#include "workers/runs/fingerprint.h"
#include "workers/runs/sampling.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
using experiments::RunConfig;

constexpr std::int64_t kImagesPerClass = 2;

// A few-shot set of tokens that mean nothing: a step takes as long over them as over real ones.
TokenSet random_tokens(const RunConfig& run, const BaseModel& base, int classes) {
  const std::int64_t images = kImagesPerClass * classes;
  TokenSet tokens;
  tokens.classes = classes;
  tokens.ids = torch::empty({images, 1, 1, base.transformer.tokens()}, torch::kInt64);
  cluster::PhiloxStream stream(run.seed, cluster::Purpose::oracle);
  auto* id = tokens.ids.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < tokens.ids.numel(); ++i) {
    id[i] = static_cast<std::int64_t>(
        stream.below(static_cast<std::uint64_t>(base.tokenizer.codebook())));
  }
  tokens.labels = torch::arange(images, torch::kInt64) % classes;
  return tokens;
}

// Where what measures the run is not there yet, its time is not in the probe.
std::unique_ptr<FeatureNetwork> network_if_there(const RunConfig& run, const BaseModel& base,
                                                 const std::filesystem::path& assets) {
  const bool own = experiments::protocol_named(run.protocol).network == experiments::kMiniNetwork;
  const bool there = own ? !base.features.empty()
                         : std::filesystem::exists(
                               experiments::feature_folder(assets, experiments::kInceptionNetwork));
  return there ? network_of_run(run, base, assets) : nullptr;
}

std::vector<std::string> outputs_of(const RunConfig& run) {
  const experiments::Protocol& protocol = experiments::protocol_named(run.protocol);
  return outputs_needed(protocol, protocol.metrics);
}

// An oracle row tunes and decodes nothing: its images go through the tokenizer, or not, and the
// feature network. Grey ones take as long as any.
experiments::PhaseTimes measure_oracle(const RunConfig& run, const BaseModel& base,
                                       const FeatureNetwork* network) {
  constexpr std::int64_t kImages = 50;
  constexpr float kGrey = 0.5F;
  const torch::InferenceMode inference;
  const std::int64_t side = base.tokenizer.image_size();
  Tensor images = torch::full({kImages, 3, side, side}, kGrey);
  const double started = cluster::monotonic_seconds();
  if (run.method == "oracle_reconstruction")
    images = rounded_to_levels(base.tokenizer.decode(base.tokenizer.encode(images)));
  if (network != nullptr) network->extract_decoded(images, outputs_of(run));
  experiments::PhaseTimes times;
  times.sample = cluster::monotonic_seconds() - started;
  times.images = kImages;
  return times;
}

// Tunes for `steps` steps, the first of them untimed, and decodes one batch.
experiments::PhaseTimes measure(RunConfig run, const BaseModel& base, const FeatureNetwork* network,
                                int steps) {
  const int classes = experiments::num_classes(run);
  experiments::PhaseTimes times;
  const TokenSet tokens = random_tokens(run, base, classes);
  const TaskClasses told = task_classes(run, classes, tokens.labels);
  const std::unique_ptr<Adapter> adapter =
      make_adapter(run, base, classes, told.instances(), compute_device());
  if (experiments::trains(run)) {
    LocalCommunicator alone;
    TuningState state;
    state.adam = init_adamw(adapter->trained());
    // Random tokens teach nothing, and weights that stay where they are cannot diverge.
    run.learning_rate = 0;
    tuning_step(run, tokens, *adapter, alone, state);
    settle_losses(state);
    const double started = cluster::monotonic_seconds();
    for (int step = 0; step < steps; ++step) tuning_step(run, tokens, *adapter, alone, state);
    settle_losses(state);
    times.tune = cluster::monotonic_seconds() - started;
    times.steps = steps;
  }
  run.samples = std::min(run.samples, run.decode_batch);
  const auto ignore = [](std::int64_t, std::int64_t) {};
  const double started = cluster::monotonic_seconds();
  generate(run, base.tokenizer.on(compute_device()), *adapter, told, network, outputs_of(run),
           /*keep=*/0, ignore);
  times.sample = cluster::monotonic_seconds() - started;
  times.images = run.samples;
  return times;
}

}  // namespace

int probe_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee-trainer probe --config FILE [--assets DIR] [--steps N]";
  line.text =
      "Times a few tuning steps and the decoding of one batch of the run in FILE (YAML of run\n"
      "keys) on random tokens (of an oracle row: its networks on grey images), and prints one\n"
      "JSON object: timing, as a finished run's provenance has it, and the fingerprint. Reading\n"
      "and encoding images and scoring are not in it.";
  line.options.add_options()  //
      ("config", po::value<std::string>()->value_name("FILE")->required(),
       "YAML file of run keys")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models")  //
      ("steps", po::value<int>()->default_value(3), "tuning steps to time");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const RunConfig run = experiments::load_run(values["config"].as<std::string>());
  const int steps = values["steps"].as<int>();
  if (steps < 1) cluster::throw_usage("--steps must be at least 1");
  at::set_num_threads(run.threads);
  at::set_num_interop_threads(1);

  const double started = cluster::monotonic_seconds();
  const std::filesystem::path assets =
      experiments::find_assets_dir(values["assets"].as<std::string>());
  const BaseModel base = load_base(experiments::load_base_manifest(assets, run.base));
  const std::unique_ptr<FeatureNetwork> network = network_if_there(run, base, assets);
  const double loaded = cluster::monotonic_seconds();
  experiments::PhaseTimes times = experiments::is_oracle(run)
                                      ? measure_oracle(run, base, network.get())
                                      : measure(run, base, network.get(), steps);
  times.load = loaded - started;
  times.peak_bytes = cluster::peak_memory_bytes();
  std::cout << nlohmann::json{{experiments::kTimingKey, experiments::to_json(times)},
                              {"fingerprint", fingerprint(run.threads, compute_device())}}
                   .dump()
            << std::endl;
  return 0;
}

}  // namespace marquee::workers
