// Runs on a base without a feature network of its own: measured by protocol `vtab` with the FID
// Inception (formula weights), labels as in the reference split; and finished runs as images of
// `marquee evaluate`.
#include <fstream>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "experiments/protocols.h"
#include "experiments/run_folder.h"
#include "experiments/sweep_inputs.h"
#include "tests/fixtures/inception_weights.h"
#include "tests/workers/quiet_progress.h"
#include "tests/workers/tiny_base.h"
#include "workers/evaluation/measure.h"
#include "workers/evaluation/run_source.h"
#include "workers/features/feature_files.h"
#include "workers/runs/generator.h"
#include "workers/runs/prompt_file.h"
#include "workers/runs/reference_images.h"
#include "workers/runs/result_file.h"
#include "workers/runs/run_executor.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
using cluster::ErrorKind;

void ignore_progress(std::int64_t, std::int64_t) {}

class Interrupting : public QuietProgress {
 public:
  bool interrupted() override { return true; }
};

// Takes folders out of the way as soon as `stage` holds three copies.
class Hiding : public QuietProgress {
 public:
  Hiding(fs::path stage, std::vector<fs::path> folders)
      : stage_(std::move(stage)), folders_(std::move(folders)) {}
  ~Hiding() override {
    for (const fs::path& folder : hidden_) fs::rename(folder.string() + "-hidden", folder);
  }
  void progress(const std::string&, std::int64_t, std::int64_t, double) override {
    if (!hidden_.empty() || copies() < 3) return;
    hidden_ = folders_;
    for (const fs::path& folder : hidden_) fs::rename(folder, folder.string() + "-hidden");
  }
  bool hidden() const { return !hidden_.empty(); }

 private:
  int copies() const {
    int count = 0;
    std::error_code none;
    for (const auto& entry : fs::recursive_directory_iterator(stage_, none))
      count += entry.path().filename() == "entry.json" &&
                       !entry.path().parent_path().filename().string().starts_with(".")
                   ? 1
                   : 0;
    return count;
  }
  fs::path stage_;
  std::vector<fs::path> folders_, hidden_;
};

// A folder of a user's own images, two classes of which one has three times as many.
class VtabRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    at::set_num_threads(1);
    folder_ = new TemporaryFolder();
    BaseModel base = tiny_base();
    base.features.clear();
    install(base, assets());
    const auto drawn =
        datasets::open_dataset(datasets::find_task("drawn/shapes_count"), "train", {});
    for (std::size_t i = 0; i < 120; ++i) {
      const fs::path file =
          data() / "shapes" / (i % 4 == 0 ? "few" : "many") / (std::to_string(i) + ".png");
      fs::create_directories(file.parent_path());
      datasets::write_png(file, drawn->image(i));
    }
    const fs::path weights = folder_->path() / "inception.safetensors";
    write_safetensors(weights, fixtures::inception_weights(3));
    import_features({weights, "inception", "inception", true}, assets());
    run_ = tiny_run(base);
    run_.task = "folder/shapes";
    run_.shots = "3";
    run_.steps = 2;
    run_.batch = 4;
    run_.samples = 30;
    run_.decode_batch = 7;
    experiments::resolve_hashes(run_, assets(), data());
  }
  static void TearDownTestSuite() { delete folder_; }
  void SetUp() override { at::set_num_threads(1); }
  void execute() {
    QuietProgress quiet;
    LocalCommunicator alone;
    result_ =
        RunExecutor(1).execute({run_, 1, 1, results(), data(), assets()}, alone, quiet).result;
    ASSERT_TRUE(result_.has_value());
  }

  static fs::path assets() { return folder_->path() / "assets"; }
  static fs::path data() { return folder_->path() / "data"; }
  static fs::path results() { return folder_->path() / "results"; }
  static fs::path run_folder() {
    return experiments::run_dir(results(), experiments::run_id(run_));
  }
  static datasets::DataFolder data_folder() {
    return experiments::data_folder(run_, data(), results() / "cache");
  }
  const experiments::MetricValue& metric(const std::string& name) const {
    for (const experiments::MetricValue& value : result_->metrics)
      if (value.metric == name) return value;
    throw std::runtime_error("no metric " + name);
  }

  void check_metrics() const;
  void check_labels() const;
  void check_evaluation() const;
  void check_source() const;
  void check_staged() const;

  static TemporaryFolder* folder_;
  static experiments::RunConfig run_;
  std::optional<experiments::ResultRecord> result_;
};

TemporaryFolder* VtabRun::folder_ = nullptr;
experiments::RunConfig VtabRun::run_;

// Protocol, network and counts with every number.
void VtabRun::check_metrics() const {
  EXPECT_EQ(run_.protocol, "vtab");
  const std::string network = experiments::load_feature_manifest(assets(), "inception").hash();
  EXPECT_EQ(run_.network_hash, network);
  const auto reference =
      datasets::open_dataset(datasets::find_task(run_.task), "test", data_folder());
  std::vector<std::string> names;
  for (const experiments::MetricValue& value : result_->metrics) {
    names.push_back(value.metric);
    EXPECT_EQ(value.protocol, "vtab") << value.metric;
    EXPECT_EQ(value.network_hash, network) << value.metric;
    EXPECT_EQ(value.n_generated, run_.samples) << value.metric;
    if (value.metric == "label_accuracy") continue;  // counts other images
    EXPECT_EQ(value.n_reference, static_cast<std::int64_t>(reference->size())) << value.metric;
  }
  std::vector<std::string> expected = experiments::protocol_named("vtab").metrics;
  expected.insert(expected.end(), {"memorisation", "label_accuracy"});
  EXPECT_EQ(names, expected);
  EXPECT_GT(metric("fid").value, 0);
  EXPECT_TRUE(metric("fid").standard_error.has_value());
  const nlohmann::json& provenance = result_->provenance;
  EXPECT_EQ(provenance.at("reference_split"), "test");
  EXPECT_EQ(provenance.at("resize_rule"), "center crop, clean_fid_clean to 299, (x - 128) / 128");
  EXPECT_EQ(provenance.at("feature_network"), "inception-2015-12-05, d = 2048");
  EXPECT_EQ(provenance.at("class_prior_rule"), "shares of the reference split");
}

void VtabRun::check_labels() const {
  const std::vector<std::int64_t> counts = reference_class_counts(run_, 2, data_folder());
  ASSERT_EQ(counts.size(), 2u);
  ASSERT_NE(counts[0], counts[1]);
  const double all = static_cast<double>(counts[0] + counts[1]);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(result_->class_prior.at(c).get<double>(), static_cast<double>(counts[c]) / all,
                1.0 / run_.samples);
  }
  // So has what is sampled from the run, and from its prompt file, later.
  EXPECT_EQ(Generator::of_run(run_folder(), assets()).task.class_counts, counts);
  const StoredResult stored = read_result(result_file_of(run_folder()));
  PromptFile prompt;
  prompt.run = stored.run;
  prompt.classes = 2;
  prompt.trained = stored.trained;
  prompt.class_counts = stored.class_counts;
  const fs::path file = folder_->path() / "prompt.safetensors";
  write_prompt_file(file, prompt);
  EXPECT_EQ(Generator::of_prompt(file, assets()).task.class_counts, counts);
}

// The same numbers from its folder.
void VtabRun::check_evaluation() const {
  const experiments::Protocol& protocol = experiments::protocol_named("vtab");
  const auto network = load_feature_network(protocol, assets(), "", torch::kFloat32);
  SourceOptions options;
  options.data = data();
  options.cache = folder_->path() / "scratch";
  options.assets = assets();
  const std::vector<std::string> metrics{"fid", "kid", "inception_score", "precision", "coverage"};
  const std::vector<std::string> outputs = outputs_needed(protocol, metrics);
  MeasureOptions how;
  how.batch = 7;
  how.mixed_sizes = protocol.mixed_sizes;
  const MeasuredSet reference = measure(*open_image_source("folder/shapes:test", options), *network,
                                        outputs, how, ignore_progress);
  for (const fs::path& what :
       {run_folder(), result_file_of(run_folder()).parent_path(), result_file_of(run_folder())}) {
    const auto source = open_image_source(what.string(), options);
    ASSERT_EQ(source->size(), static_cast<std::size_t>(run_.samples));
    const auto numbers =
        score(protocol, metrics, measure(*source, *network, outputs, how, ignore_progress),
              reference, network->hash(), {run_.seed});
    for (const experiments::MetricValue& value : numbers) {
      const double expected = metric(value.metric).value;
      EXPECT_NEAR(value.value, expected, 1e-5 * std::abs(expected) + 1e-9) << value.metric;
    }
  }
}

// In any order the images are the same; on other weights they are refused.
void VtabRun::check_source() const {
  const auto source = open_run_images(run_folder(), assets());
  const datasets::Image last = source->image(29), first = source->image(0);
  EXPECT_EQ(source->image(29), last);
  EXPECT_EQ(source->image(0), first);
  EXPECT_NE(source->stored_bytes(0), source->stored_bytes(29));
  BaseModel other = tiny_base();
  other.features.clear();
  other.transformer.weights.begin()->second.add_(1);
  const fs::path others = folder_->path() / "others";
  install(other, others);
  try {
    open_run_images(run_folder(), others);
    FAIL() << "taken";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("other weights"), std::string::npos);
  }
}

// With --stage all is read from the copies; the numbers are the same.
void VtabRun::check_staged() const {
  const fs::path stage = folder_->path() / "stage";
  LocalCommunicator alone;
  Hiding hiding(stage, {assets(), data()});
  const auto staged =
      RunExecutor(1)
          .execute({run_, 2, 1, results(), data(), assets(), {stage, 0}}, alone, hiding)
          .result;
  EXPECT_TRUE(hiding.hidden()) << "data, base and network were not copied before they were read";
  ASSERT_TRUE(staged.has_value());
  EXPECT_EQ(staged->prompt_sha256, result_->prompt_sha256);
  EXPECT_EQ(staged->tokens_sha256, result_->tokens_sha256);
  ASSERT_EQ(staged->metrics.size(), result_->metrics.size());
  for (std::size_t i = 0; i < staged->metrics.size(); ++i)
    EXPECT_EQ(staged->metrics[i].value, result_->metrics[i].value) << staged->metrics[i].metric;
}

// One test: the networks take their time, and CTest gives each test a process.
TEST_F(VtabRun, IsMeasuredByTheFidInception) {
  execute();
  check_metrics();
  check_labels();
  check_evaluation();
  check_source();
  check_staged();
}

TEST_F(VtabRun, IsLeftBeforeAnythingIsLoaded) {
  Interrupting interrupting;
  LocalCommunicator alone;
  const RunOutcome outcome =
      RunExecutor(1).execute({run_, 3, 1, results(), data(), assets()}, alone, interrupting);
  EXPECT_FALSE(outcome.result || outcome.served);
  const auto record =
      experiments::read_attempt(experiments::attempt_dir(results(), experiments::run_id(run_), 3));
  EXPECT_EQ(record.status, "interrupted");
}

TEST_F(VtabRun, FewerSamplesThanTheProtocolNeedsAreRefusedBefore) {
  experiments::RunConfig run = run_;
  run.samples = 29;
  try {
    experiments::resolve_hashes(run, assets(), data());
    FAIL() << "resolved";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("'samples' is 29"), std::string::npos) << error.what();
  }
}

TEST_F(VtabRun, WhatIsNoRunIsNone) {
  EXPECT_FALSE(is_run(data() / "shapes"));
  EXPECT_FALSE(is_run(assets()));
  EXPECT_FALSE(is_run(folder_->path() / "nowhere"));
}

TEST_F(VtabRun, WithoutTheNetworkTheSweepSaysHowToGetIt) {
  const fs::path bare = folder_->path() / "bare";
  BaseModel base = tiny_base();
  base.features.clear();
  install(base, bare);
  experiments::RunConfig run = run_;
  try {
    experiments::resolve_hashes(run, bare, data());
    FAIL() << "resolved";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("marquee import features"), std::string::npos);
  }
  experiments::SweepFile sweep;
  sweep.runs = {run_};
  const auto missing = experiments::resolve_what_is_there(sweep, bare, data());
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].what, "network");
}

TEST_F(VtabRun, ABaseWithItsOwnNetworkMayBeMeasuredByInception) {
  const fs::path both = folder_->path() / "both";
  install_tiny_base(both);
  fs::create_directories(both / "features");
  fs::copy(assets() / "features", both / "features", fs::copy_options::recursive);
  experiments::RunConfig run = run_;
  run.protocol = "clean-fid";
  experiments::resolve_hashes(run, both, data());
  EXPECT_EQ(run.protocol, "clean-fid");
  EXPECT_EQ(run.network_hash, run_.network_hash);
  run.protocol = "mini-v0";
  experiments::resolve_hashes(run, both, data());
  EXPECT_EQ(run.protocol, "mini-v0");
  EXPECT_NE(run.network_hash, run_.network_hash);
}

TEST(LabelsOfSamples, AlikeTheyComeInTurn) {
  const TaskClasses plain{3, {}, {}}, equal{3, {}, {7, 7, 7}};
  const Tensor expected = torch::arange(11, torch::kInt64) % 3;
  EXPECT_TRUE(labels_of_samples(plain, 11).equal(expected));
  EXPECT_TRUE(labels_of_samples(equal, 11).equal(expected));
}

TEST(LabelsOfSamples, EveryBeginningHasTheShares) {
  const TaskClasses task{4, {}, {1, 0, 6, 3}};
  const Tensor labels = labels_of_samples(task, 200);
  for (std::int64_t n = 1; n <= 200; ++n) {
    const Tensor counts = labels.narrow(0, 0, n).bincount({}, 4);
    for (std::int64_t c = 0; c < 4; ++c) {
      const double share = static_cast<double>(task.class_counts[static_cast<std::size_t>(c)]) / 10;
      EXPECT_LT(std::abs(counts[c].item<double>() - share * static_cast<double>(n)), 1.0)
          << n << " images, class " << c;
    }
  }
}

TEST(LabelsOfSamples, CountsOfAFileAreChecked) {
  EXPECT_EQ(class_counts_from(torch::tensor({2, 0}), 2, "f"), (std::vector<std::int64_t>{2, 0}));
  for (const Tensor& bad : {torch::tensor({2, 0, 1}), torch::tensor({0, 0}), torch::tensor({-1, 2}),
                            torch::tensor({{1}, {2}}), torch::tensor({INT64_MAX, INT64_MAX})})
    EXPECT_THROW(class_counts_from(bad, 2, "f"), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
