#include "workers/runs/run_executor.h"

#include <cmath>
#include <set>

#include "analysis/metrics/linear_probe.h"
#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "datasets/task.h"
#include "experiments/phase_times.h"
#include "experiments/protocols.h"
#include "experiments/run_folder.h"
#include "workers/evaluation/score.h"
#include "workers/features/feature_files.h"
#include "workers/runs/film_strip.h"
#include "workers/runs/fingerprint.h"
#include "workers/runs/pace.h"
#include "workers/runs/reference_images.h"
#include "workers/runs/result_file.h"
#include "workers/runs/run_pictures.h"
#include "workers/runs/run_score.h"
#include "workers/runs/sampling.h"
#include "workers/runs/tuning.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

using experiments::RunConfig;
using nlohmann::json;

constexpr std::int64_t kShownImages = 64;
constexpr std::size_t kProbeImages = 5000;  // real images that name what generated ones show
constexpr int kGridColumns = 10;
constexpr std::int64_t kFilmImages = 3;
constexpr int kFilmColumns = 8;

// What was left out of training, reference and probe images: each record once.
json skipped_records(const std::vector<std::vector<std::string>>& lists) {
  constexpr std::size_t kNamed = 20;
  std::set<std::string> all;
  for (const auto& list : lists) all.insert(list.begin(), list.end());
  std::vector<std::string> named(all.begin(), all.end());
  named.resize(std::min(named.size(), kNamed));
  return {{"count", all.size()}, {"records", named}};
}

json shares(const Tensor& labels, int classes) {
  json prior = json::array();
  for (int label = 0; label < classes; ++label)
    prior.push_back((labels == label).to(torch::kFloat64).mean().item<double>());
  return prior;
}

// Fills the phases of an attempt as it goes through them: each lap ends the phase before it.
class PhaseClock {
 public:
  explicit PhaseClock(experiments::PhaseTimes& times)
      : times_(times), last_(cluster::monotonic_seconds()) {}
  void lap(double experiments::PhaseTimes::*phase) {
    const double now = cluster::monotonic_seconds();
    times_.*phase += now - last_;
    last_ = now;
  }

 private:
  experiments::PhaseTimes& times_;
  double last_;
};

// What there is to do about it; nothing is done in silence.
std::string out_of_memory_text(const RunConfig& run, const std::string& reason) {
  return "the GPU's memory does not suffice: " + reason.substr(0, reason.find('\n')) +
         " The run computes " + std::to_string(run.batch / run.micro_batches) +
         " images at once in tuning and " + std::to_string(run.decode_batch) +
         " in sampling: raise micro_batches, lower decode_batch, set recompute_activations, or use "
         "a "
         "GPU with more memory";
}

// What attempt.json says of an attempt that ends now.
experiments::AttemptRecord record_of(const RunRequest& request, const std::string& status,
                                     const std::string& started) {
  experiments::AttemptRecord record;
  record.run_id = experiments::run_id(request.run).text();
  record.attempt = request.attempt;
  record.epoch = request.epoch;
  record.claim = request.claim;
  record.rerun_of = request.rerun_of;
  record.status = status;
  record.started = started;
  record.ended = cluster::utc_now();
  record.host = cluster::host_name();
  record.run = experiments::to_json(request.run);
  return record;
}

void seal(const RunRequest& request, const std::filesystem::path& folder,
          const experiments::AttemptRecord& record) {
  if (request.fence) request.fence->check();
  experiments::write_attempt(folder, record);
}

ParameterMap on_cpu(const ParameterMap& parameters) {
  ParameterMap result;
  for (const auto& [name, tensor] : parameters) result[name] = tensor.detach().to(torch::kCPU);
  return result;
}

json curve_of(const std::vector<double>& losses) {
  json steps = json::array();
  for (std::size_t i = 0; i < losses.size(); ++i) steps.push_back(i + 1);
  return {{"steps", steps}, {"loss", losses}};
}

}  // namespace

const BaseModel& RunExecutor::base_for(const RunRequest& request) {
  const RunConfig& run = request.run;
  const std::filesystem::path folder = request.assets / run.base;
  if (!base_ || base_folder_ != folder || base_->base_hash != run.base_hash) {
    base_.reset();
    base_ = load_base(experiments::load_base_manifest(request.assets, run.base));
    tokenizer_ = device_.is_cpu() ? base_->tokenizer : base_->tokenizer.on(device_);
    base_folder_ = folder;
  }
  if (base_->base_hash != run.base_hash) {
    cluster::throw_environment(
        folder.string() +
        ": holds other weights than the run was planned with; start the sweep again");
  }
  return *base_;
}

const FeatureNetwork& RunExecutor::network_for(const RunRequest& request, const BaseModel& base) {
  const RunConfig& run = request.run;
  const std::string key =
      (request.networks / run.base).string() + "\n" + run.protocol + "\n" + run.network_hash;
  if (network_ == nullptr || network_key_ != key) {
    network_.reset();
    network_ = network_of_run(run, base, request.networks);
    network_key_ = key;
  }
  if (network_->hash() != run.network_hash) {
    cluster::throw_environment(
        "the feature network of protocol " + run.protocol + " below " + request.networks.string() +
        " has other weights than the run was planned with; start the sweep again");
  }
  return *network_;
}

RunOutcome RunExecutor::execute(const RunRequest& request, Communicator& gang, ProgressSink& sink) {
  const experiments::RunId id = experiments::run_id(request.run);
  const std::filesystem::path folder =
      experiments::attempt_dir(request.results, id, request.attempt);
  const std::string started = cluster::utc_now();
  const bool leads = gang.rank() == 0;
  const auto record = [&](const std::string& status, const std::string& kind,
                          const std::string& message) {
    if (!leads) return;
    experiments::AttemptRecord failed = record_of(request, status, started);
    failed.cause.kind = kind;
    failed.cause.message = message;
    try {
      seal(request, folder, failed);
    } catch (const cluster::Error& error) {
      cluster::log_error("run", error.what());
    }
  };
  try {
    if (leads) {
      experiments::create_attempt_folder(folder);
      cluster::write_file_durably(folder / "run.yaml", experiments::to_yaml(request.run));
    }
    Pace loading(sink, "load");
    RunOutcome outcome;
    try {
      // Copies stay until the attempt is over.
      const experiments::StagedInputs staged =
          stage_.take(request.stage, request.run, {request.data, request.assets, request.assets},
                      [&](std::int64_t bytes, std::int64_t total) {
                        loading.report(bytes >> 20, total >> 20);  // MiB
                      });
      RunRequest local = request;
      local.data = staged.folders.data;
      local.assets = staged.folders.base;
      local.networks = staged.folders.networks;
      outcome = attempt(local, folder, started, gang, sink);
    } catch (const Interrupted&) {
      // Before anything was tuned, or when all was.
    }
    if (!outcome.result && !outcome.served)
      record("interrupted", "interrupted",
             "on request, after tuning step " + std::to_string(outcome.step));
    return outcome;
  } catch (const GangBroken&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    const OutOfMemory known(out_of_memory_text(request.run, error.what_without_backtrace()));
    record("failed", OutOfMemory::kKind, known.what());
    throw known;
  } catch (const cluster::Error& error) {
    record("failed", std::string(error.name()), error.what());
    throw;
  } catch (const std::exception& error) {
    record("failed", "defect", error.what());
    throw cluster::Error(cluster::ErrorKind::defect, error.what());
  }
}

RunOutcome RunExecutor::attempt(const RunRequest& request, const std::filesystem::path& folder,
                                const std::string& started, Communicator& gang,
                                ProgressSink& sink) {
  const RunConfig& run = request.run;
  if (run.numerics_version != experiments::kNumericsVersion) {
    cluster::throw_environment(
        "the run was planned by a program of numerics version " +
        std::to_string(run.numerics_version) + ", this one computes version " +
        std::to_string(experiments::kNumericsVersion) + ": start the sweep again");
  }
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  const datasets::DataFolder data =
      experiments::data_folder(run, request.data, request.results / "cache");
  const int classes = experiments::num_classes(run);
  const double clock = cluster::monotonic_seconds();

  experiments::PhaseTimes times;
  PhaseClock phases(times);

  Pace(sink, "load").report(0, 1);
  const BaseModel& base = base_for(request);
  const FeatureNetwork& network = network_for(request, base);
  const experiments::Protocol& protocol = experiments::protocol_named(run.protocol);
  const std::vector<std::string> outputs = outputs_needed(protocol, protocol.metrics);
  const Measure measure{network, main_output(protocol)};
  phases.lap(&experiments::PhaseTimes::load);
  experiments::ResultRecord result;
  ResultContent content{run, result, {}, {}, {}, {}, {}, {}, {}};
  std::vector<std::vector<std::string>> skipped;
  std::vector<NearestImage> nearest;
  FilmStrip film(kFilmImages, kFilmColumns);
  FeatureOutputs features;
  TuningState state;
  std::optional<std::filesystem::path> resumed;
  try {
    if (experiments::is_oracle(run)) {
      OracleImages oracle = oracle_images(run, base, network, outputs, data, kShownImages,
                                          Pace(sink, "sample").counter());
      features = oracle.features;
      content.labels = oracle.labels;
      content.images = std::move(oracle.images);
      skipped.push_back(oracle.skipped);
      times.images = content.labels.size(0);
      result.provenance["class_rule"] = "real images";
    } else {
      TokenSet validation;
      if (experiments::trains(run)) {
        // Rank 0 makes the caches that are not there yet, the others read them.
        if (gang.rank() > 0) any_rank(gang, false);
        Pace caching(sink, "cache");
        content.training = load_tokens(run, base, data, caching.counter());
        skipped.push_back(content.training.skipped);
        if (run.early_stopping > 0)
          validation = load_validation_tokens(run, base, data, caching.counter());
        if (gang.rank() == 0) any_rank(gang, false);
        phases.lap(&experiments::PhaseTimes::cache);
      }
      TaskClasses told = task_classes(run, classes, content.training.labels);
      if (protocol.reference_prior) told.class_counts = reference_class_counts(run, classes, data);
      content.class_counts = told.class_counts;
      const std::unique_ptr<Adapter> adapter =
          make_adapter(run, base, classes, told.instances(), device_);
      if (experiments::trains(run)) {
        const Tuned tuned =
            tune(run, folder, content.training, validation, *adapter, gang, sink, state);
        if (gang.rank() > 0) return {std::nullopt, state.step, true};
        resumed = tuned.resumed;
        times.steps = tuned.steps;
        phases.lap(&experiments::PhaseTimes::tune);
        result.provenance["training_images"] = content.training.size();
        if (!state.validation.losses.empty()) {
          const Validation& looks = state.validation;
          result.provenance["early_stopping"] = {{"steps", looks.steps},
                                                 {"losses", looks.losses},
                                                 {"best_step", looks.steps[looks.best]}};
        }
      }
      Pace sampling(sink, "sample");
      Samples samples = generate(run, tokenizer_, *adapter, told, &network, outputs, kShownImages,
                                 sampling.counter(), film.observer());
      features = std::move(samples.features);
      times.images = run.samples;
      content.labels = samples.labels;
      content.tokens = samples.tokens;
      content.images = std::move(samples.images);
      content.trained = on_cpu(adapter->trained());
      content.losses = state.losses;
      result.trainable_parameters = count_parameters(adapter->trained());
      result.prompt_sha256 = hash_tensors(content.trained);
      result.tokens_sha256 = hash_tensors({{"tokens", samples.tokens.to(torch::kInt32)}});
      result.provenance["class_rule"] = adapter->class_rule();
    }
    phases.lap(&experiments::PhaseTimes::sample);
    Pace scoring(sink, "score");
    const auto of_split = [&](const std::string& split, std::size_t most) {
      SplitFeatures real = split_features(run, split, most, measure, data, scoring.counter());
      skipped.push_back(real.skipped);
      return real;
    };
    const SplitFeatures reference = of_split(run.reference, kAllImages),
                        train =
                            of_split(datasets::largest_train_split(task, data.path), kProbeImages);
    const SplitFeatures known = labelled(train.features, train.labels),
                        asked = labelled(reference.features, reference.labels);
    const analysis::LinearProbe probe(known.features, known.labels, classes);
    Tensor training;
    if (experiments::trains(run))
      training = training_features(run, content.training, measure, data, scoring.counter());
    scoring.report(0, 1);
    if (training.defined()) {
      const PictureLayout shown = picture_layout(classes, content.images.front().height,
                                                 static_cast<std::int64_t>(content.images.size()));
      nearest = nearest_images(features.at(measure.output).narrow(0, 0, shown.count), training);
    }
    result.metrics =
        score_run(run, protocol, features, content.labels,
                  {reference.features, training, probe, known.labels.numel(), classes});
    if (asked.labels.numel() > 0) {
      result.provenance["label_accuracy_of_reference"] =
          probe.accuracy(asked.features, asked.labels).value;
    }
    scoring.report(1, 1);
    phases.lap(&experiments::PhaseTimes::score);
    cluster::failpoint("trainer.sampled");
  } catch (const Interrupted&) {
    return {std::nullopt, state.step};
  }

  const datasets::DataSource source = datasets::source_of(task, data.path);
  result.class_prior = shares(content.labels, classes);
  result.fingerprint = fingerprint(threads_, device_);
  result.provenance.update(
      {{"commit", std::string(cluster::build_commit())},
       {"base_version", base.version},
       {"base_hash", base.base_hash},
       {"feature_network",
        network.name() + ", d = " + std::to_string(features.at(measure.output).size(1))},
       {"network_hash", network.hash()},
       {"reference_split", run.reference},
       {"resize_rule", network.input_rule()},
       {"class_prior_rule", experiments::is_oracle(run) ? "real images"
                            : protocol.reference_prior  ? "shares of the reference split"
                                                        : "classes in turn"},
       {"data_hash", run.data_hash},
       {"data_source",
        {{"layout", source.layout},
         {"name", source.name},
         {"version", source.version},
         {"as_vtab_asks", source.as_asked}}},
       {"decode", run.decode},
       {"skipped_records", skipped_records(skipped)},
       {"drawn_by_code", task.group == datasets::TaskGroup::drawn},
       {"resumed_from_step", resumed ? json(resumed->filename().string()) : json()}});
  Pace(sink, "save").report(0, 1);
  datasets::write_png(folder / "samples.png",
                      datasets::make_grid(content.images, std::min<int>(kGridColumns, classes)));
  write_pictures(folder,
                 {run, data, content.images, content.labels, content.training, nearest,
                  film.pictures(base.tokenizer), film.columns()},
                 classes);
  if (!state.losses.empty())
    cluster::write_file_durably(folder / "curves.json", curve_of(state.losses).dump() + "\n");
  result.seconds = cluster::monotonic_seconds() - clock;
  result.result_sha256 = write_result(folder / "result.h5", content);
  // Behind result.h5, whose bytes must not tell how fast this machine was today.
  times.peak_bytes = cluster::peak_memory_bytes();
  result.provenance[experiments::kTimingKey] = experiments::to_json(times);
  cluster::failpoint("trainer.result_written");

  experiments::AttemptRecord sealed = record_of(request, "done", started);
  sealed.result = result;
  seal(request, folder, sealed);
  cluster::failpoint("trainer.sealed");
  return {result, state.step};
}

}  // namespace marquee::workers
