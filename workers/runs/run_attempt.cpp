#include "workers/runs/run_attempt.h"

#include <algorithm>
#include <memory>
#include <set>

#include "analysis/metrics/linear_probe.h"
#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "workers/evaluation/score.h"
#include "workers/runs/fingerprint.h"
#include "workers/runs/run_score.h"
#include "workers/runs/sampling.h"
#include "workers/runs/tuning.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

using experiments::PhaseTimes;
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

RunAttempt::RunAttempt(const AttemptMeans& means, Communicator& gang, ProgressSink& sink)
    : means_(means),
      run_(means.request.run),
      gang_(gang),
      sink_(sink),
      task_(datasets::find_task(run_.task)),
      data_(experiments::data_folder(run_, means.request.data, means.request.results / "cache")),
      classes_(experiments::num_classes(run_)),
      protocol_(experiments::protocol_named(run_.protocol)),
      outputs_(outputs_needed(protocol_, protocol_.metrics)),
      measure_{means.network, main_output(protocol_)},
      last_lap_(means.began),
      content_{run_, result_, {}, {}, {}, {}, {}, {}, {}},
      film_(kFilmImages, kFilmColumns) {}

RunOutcome RunAttempt::run() {
  lap(&PhaseTimes::load);
  try {
    if (experiments::is_oracle(run_)) {
      take_real_images();
    } else if (!tune_and_generate()) {
      return {std::nullopt, state_.step, true};
    }
    lap(&PhaseTimes::sample);
    score();
    lap(&PhaseTimes::score);
    cluster::failpoint("trainer.sampled");
    write();
  } catch (const Interrupted&) {
    return {std::nullopt, state_.step};
  }
  return {result_, state_.step};
}

void RunAttempt::lap(double PhaseTimes::*phase) {
  const double now = cluster::monotonic_seconds();
  times_.*phase += now - last_lap_;
  last_lap_ = now;
}

void RunAttempt::take_real_images() {
  OracleImages oracle = oracle_images(run_, means_.base, means_.network, outputs_, data_,
                                      kShownImages, Pace(sink_, "sample").counter());
  features_ = std::move(oracle.features);
  content_.labels = oracle.labels;
  content_.images = std::move(oracle.images);
  skipped_.push_back(std::move(oracle.skipped));
  times_.images = content_.labels.size(0);
  result_.provenance["class_rule"] = "real images";
}

bool RunAttempt::tune_and_generate() {
  const bool trains = experiments::trains(run_);
  TokenSet validation;
  if (trains) validation = load_training();
  TaskClasses told = task_classes(run_, classes_, content_.training.labels);
  if (protocol_.reference_prior) told.class_counts = reference_class_counts(run_, classes_, data_);
  content_.class_counts = told.class_counts;
  const std::unique_ptr<Adapter> adapter =
      make_adapter(run_, means_.base, classes_, told.instances(), means_.device);
  if (trains) {
    tune_adapter(*adapter, validation);
    if (gang_.rank() > 0) return false;
  }
  generate_images(*adapter, told);
  return true;
}

TokenSet RunAttempt::load_training() {
  TokenSet validation;
  // Rank 0 makes the caches that are not there yet, the others read them.
  if (gang_.rank() > 0) any_rank(gang_, false);
  Pace caching(sink_, "cache");
  content_.training = load_tokens(run_, means_.base, data_, caching.counter());
  skipped_.push_back(content_.training.skipped);
  if (run_.early_stopping > 0)
    validation = load_validation_tokens(run_, means_.base, data_, caching.counter());
  if (gang_.rank() == 0) any_rank(gang_, false);
  lap(&PhaseTimes::cache);
  return validation;
}

void RunAttempt::tune_adapter(Adapter& adapter, const TokenSet& validation) {
  const Tuned tuned =
      tune(run_, means_.folder, content_.training, validation, adapter, gang_, sink_, state_);
  if (gang_.rank() > 0) return;
  resumed_ = tuned.resumed;
  times_.steps = tuned.steps;
  lap(&PhaseTimes::tune);
  result_.provenance["training_images"] = content_.training.size();
  if (const Validation& looks = state_.validation; !looks.losses.empty()) {
    result_.provenance["early_stopping"] = {
        {"steps", looks.steps}, {"losses", looks.losses}, {"best_step", looks.steps[looks.best]}};
  }
}

void RunAttempt::generate_images(Adapter& adapter, const TaskClasses& told) {
  Pace sampling(sink_, "sample");
  Samples samples = generate(run_, means_.tokenizer, adapter, told, &means_.network, outputs_,
                             kShownImages, sampling.counter(), film_.observer());
  features_ = std::move(samples.features);
  times_.images = run_.samples;
  content_.labels = samples.labels;
  content_.tokens = samples.tokens;
  content_.images = std::move(samples.images);
  content_.trained = on_cpu(adapter.trained());
  content_.losses = state_.losses;
  result_.trainable_parameters = count_parameters(adapter.trained());
  result_.prompt_sha256 = hash_tensors(content_.trained);
  result_.tokens_sha256 = hash_tensors({{"tokens", samples.tokens.to(torch::kInt32)}});
  result_.provenance["class_rule"] = adapter.class_rule();
}

SplitFeatures RunAttempt::features_of(const std::string& split, std::size_t most, Pace& pace) {
  SplitFeatures real = split_features(run_, split, most, measure_, data_, pace.counter());
  skipped_.push_back(real.skipped);
  return real;
}

void RunAttempt::score() {
  Pace scoring(sink_, "score");
  const SplitFeatures reference = features_of(run_.reference, kAllImages, scoring),
                      train = features_of(datasets::largest_train_split(task_, data_.path),
                                          kProbeImages, scoring);
  const SplitFeatures known = labelled(train.features, train.labels),
                      asked = labelled(reference.features, reference.labels);
  const analysis::LinearProbe probe(known.features, known.labels, classes_);
  Tensor training;
  if (experiments::trains(run_))
    training = training_features(run_, content_.training, measure_, data_, scoring.counter());
  scoring.report(0, 1);
  if (training.defined()) {
    const PictureLayout shown = picture_layout(classes_, content_.images.front().height,
                                               static_cast<std::int64_t>(content_.images.size()));
    nearest_ = nearest_images(features_.at(measure_.output).narrow(0, 0, shown.count), training);
  }
  result_.metrics =
      score_run(run_, protocol_, features_, content_.labels,
                {reference.features, training, probe, known.labels.numel(), classes_});
  if (asked.labels.numel() > 0) {
    result_.provenance["label_accuracy_of_reference"] =
        probe.accuracy(asked.features, asked.labels).value;
  }
  scoring.report(1, 1);
}

void RunAttempt::write() {
  result_.class_prior = shares(content_.labels, classes_);
  result_.fingerprint = fingerprint(means_.threads, means_.device);
  result_.provenance.update(provenance());
  Pace(sink_, "save").report(0, 1);
  datasets::write_png(means_.folder / "samples.png",
                      datasets::make_grid(content_.images, std::min<int>(kGridColumns, classes_)));
  write_pictures(means_.folder,
                 {run_, data_, content_.images, content_.labels, content_.training, nearest_,
                  film_.pictures(means_.base.tokenizer), film_.columns()},
                 classes_);
  if (!state_.losses.empty())
    cluster::write_file_durably(means_.folder / "curves.json",
                                curve_of(state_.losses).dump() + "\n");
  result_.seconds = cluster::monotonic_seconds() - means_.began;
  result_.result_sha256 = write_result(means_.folder / "result.h5", content_);
  // Behind result.h5, whose bytes must not tell how fast this machine was today.
  times_.peak_bytes = cluster::peak_memory_bytes();
  result_.provenance[experiments::kTimingKey] = experiments::to_json(times_);
  cluster::failpoint("trainer.result_written");
}

json RunAttempt::provenance() const {
  const datasets::DataSource source = datasets::source_of(task_, data_.path);
  return {{"commit", std::string(cluster::build_commit())},
          {"base_version", means_.base.version},
          {"base_hash", means_.base.base_hash},
          {"feature_network", means_.network.name() +
                                  ", d = " + std::to_string(features_.at(measure_.output).size(1))},
          {"network_hash", means_.network.hash()},
          {"reference_split", run_.reference},
          {"resize_rule", means_.network.input_rule()},
          {"class_prior_rule", experiments::is_oracle(run_) ? "real images"
                               : protocol_.reference_prior  ? "shares of the reference split"
                                                            : "classes in turn"},
          {"data_hash", run_.data_hash},
          {"data_source",
           {{"layout", source.layout},
            {"name", source.name},
            {"version", source.version},
            {"as_vtab_asks", source.as_asked}}},
          {"decode", run_.decode},
          {"skipped_records", skipped_records(skipped_)},
          {"drawn_by_code", task_.group == datasets::TaskGroup::drawn},
          {"resumed_from_step", resumed_ ? json(resumed_->filename().string()) : json()}};
}

}  // namespace marquee::workers
