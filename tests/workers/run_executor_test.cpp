// A whole attempt on a tiny base: what it leaves, and that being stopped changes nothing.
#include "workers/runs/run_executor.h"

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "experiments/run_folder.h"
#include "tests/workers/tiny_base.h"
#include "workers/runs/result_file.h"

namespace marquee::workers {
namespace {

class Listener : public ProgressSink {
 public:
  explicit Listener(std::string stop_phase = "", std::int64_t stop_step = 0)
      : stop_phase_(std::move(stop_phase)), stop_step_(stop_step) {}
  void progress(const std::string& phase, std::int64_t step, std::int64_t,
                double deadline) override {
    EXPECT_GT(deadline, 0);
    if (phases.empty() || phases.back() != phase) phases.push_back(phase);
    if (phase == stop_phase_ && step >= stop_step_) stop_ = true;
  }
  bool interrupted() override { return stop_; }
  std::vector<std::string> phases;

 private:
  std::string stop_phase_;
  std::int64_t stop_step_;
  bool stop_ = false;
};

class Executor : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = install_tiny_base(folder_.path() / "assets");
  }
  RunRequest request(const std::string& method, const std::string& results, int attempt = 1) const {
    return {tiny_run(base_, method),  attempt, 1,
            folder_.path() / results, {},      folder_.path() / "assets"};
  }
  static RunOutcome execute(const RunRequest& request, ProgressSink& sink) {
    LocalCommunicator alone;
    return RunExecutor(1).execute(request, alone, sink);
  }
  static RunOutcome execute(const RunRequest& request) {
    Listener listener;
    return execute(request, listener);
  }
  static std::filesystem::path folder_of(const RunRequest& request) {
    return experiments::attempt_dir(request.results, experiments::run_id(request.run),
                                    request.attempt);
  }

  TemporaryFolder folder_;
  BaseModel base_;
};

TEST_F(Executor, LeavesASealedAttemptWithAllItsFiles) {
  const RunRequest wanted = request("prompt", "a");
  Listener listener;
  const RunOutcome outcome = execute(wanted, listener);
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->metrics.size(), 8u);
  EXPECT_EQ(listener.phases,
            (std::vector<std::string>{"load", "cache", "tune", "sample", "score", "save"}));
  for (const char* name :
       {"run.yaml", "checkpoint-8.h5", "result.h5", "samples.png", "curves.json", "preview.png",
        "real.png", "neighbours.png", "film.png", "pictures.json"})
    EXPECT_TRUE(std::filesystem::exists(folder_of(wanted) / name)) << name;
  const experiments::AttemptRecord record = experiments::read_attempt(folder_of(wanted));
  EXPECT_EQ(record.status, "done");
  EXPECT_EQ(record.result->metrics, outcome.result->metrics);
}

TEST_F(Executor, RepeatsARunBitForBit) {
  const auto first = execute(request("prompt", "a")).result;
  const auto second = execute(request("prompt", "b")).result;
  EXPECT_EQ(first->metrics, second->metrics);
  EXPECT_EQ(first->prompt_sha256, second->prompt_sha256);
  EXPECT_EQ(first->tokens_sha256, second->tokens_sha256);
  EXPECT_EQ(first->result_sha256, second->result_sha256);  // the whole file
}

TEST_F(Executor, GoesOnAfterAnInterruptionWithTheSameBits) {
  const std::vector<std::function<void(experiments::RunConfig&)>> ways{
      [](auto&) {},
      [](auto& run) {
        run.conditions = "both";
        run.marquee = "instances";
        run.early_stopping = 2;
      },
      [](auto& run) { run.method = "lora"; }};
  for (std::size_t way = 0; way < ways.size(); ++way) {
    const auto wanted = [&](const std::string& results, int attempt) {
      RunRequest made = request("prompt", results + std::to_string(way), attempt);
      ways[way](made.run);
      return made;
    };
    const auto straight = execute(wanted("a", 1)).result;
    const RunRequest first = wanted("b", 1);
    Listener stops("tune", 5);
    const RunOutcome stopped = execute(first, stops);
    EXPECT_FALSE(stopped.result);
    EXPECT_EQ(stopped.step, 5);
    EXPECT_EQ(experiments::read_attempt(folder_of(first)).status, "interrupted");
    const auto resumed = execute(wanted("b", 2)).result;
    ASSERT_TRUE(resumed);
    EXPECT_EQ(resumed->provenance.at("resumed_from_step"), "checkpoint-5.h5");
    EXPECT_EQ(straight->metrics, resumed->metrics);
    EXPECT_EQ(straight->prompt_sha256, resumed->prompt_sha256);
    EXPECT_EQ(straight->tokens_sha256, resumed->tokens_sha256);
  }
}

TEST_F(Executor, SaysHowFarItCameWhereverItIsInterrupted) {
  for (const auto& [phase, step] : {std::pair{"load", 0},
                                    {"cache", 0},
                                    {"tune", 1},
                                    {"sample", 8},
                                    {"score", 8},
                                    {"save", 8}}) {
    const RunRequest wanted = request("prompt", phase);
    Listener stops(phase, step == 1 ? 1 : 0);
    const RunOutcome stopped = execute(wanted, stops);
    EXPECT_FALSE(stopped.result) << phase;
    EXPECT_EQ(stopped.step, step) << phase;
    EXPECT_EQ(stops.phases.back(), phase);
    EXPECT_EQ(experiments::read_attempt(folder_of(wanted)).cause.message,
              "on request, after tuning step " + std::to_string(step));
    EXPECT_FALSE(std::filesystem::exists(folder_of(wanted) / "result.h5")) << phase;
  }
}

TEST_F(Executor, WithEarlyStoppingGeneratesFromTheBestLook) {
  RunRequest wanted = request("finetune", "a");
  wanted.run.early_stopping = 1;
  wanted.run.patience = 1;
  wanted.run.learning_rate = 0.1;  // one image a class is soon learned by heart
  wanted.run.steps = 50;
  const auto result = execute(wanted).result;
  ASSERT_TRUE(result);
  const auto& stopping = result->provenance.at("early_stopping");
  const auto losses = stopping.at("losses").get<std::vector<double>>();
  EXPECT_LT(losses.size(), 50U);
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  EXPECT_EQ(stopping.at("best_step"), best + 1);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(losses.size()), best + 2)
      << "one look without a smaller loss";
  const StoredResult stored = read_result(folder_of(wanted) / "result.h5");
  EXPECT_EQ(result->prompt_sha256, hash_tensors(stored.trained));
}

TEST_F(Executor, EveryMethodGivesFiniteMetrics) {
  for (const char* method : {"prompt", "finetune", "scratch", "lora", "linear_class", "none",
                             "oracle_real", "oracle_reconstruction"}) {
    const auto result = execute(request(method, "all")).result;
    ASSERT_TRUE(result) << method;
    for (const auto& metric : result->metrics) {
      EXPECT_TRUE(std::isfinite(metric.value)) << method << " " << metric.metric;
      EXPECT_EQ(metric.n_generated, 24) << method;
    }
  }
}

TEST_F(Executor, EveryMethodOnAnAutoregressiveBase) {
  base_ = install(tiny_autoregressive_base(), folder_.path() / "assets");
  for (const char* method :
       {"prompt", "finetune", "scratch", "lora", "linear_class", "none", "oracle_reconstruction"}) {
    const auto first = execute(request(method, "a")).result;
    const auto second = execute(request(method, "b")).result;
    ASSERT_TRUE(first && second) << method;
    EXPECT_EQ(first->metrics, second->metrics) << method;
    EXPECT_EQ(first->tokens_sha256, second->tokens_sha256) << method;
    for (const auto& metric : first->metrics)
      EXPECT_TRUE(std::isfinite(metric.value)) << method << " " << metric.metric;
  }
}

TEST_F(Executor, ComputesInBfloat16WhereTheRunSaysSo) {
  for (const bool autoregressive : {false, true}) {
    base_ = install(autoregressive ? tiny_autoregressive_base() : tiny_base(),
                    folder_.path() / "assets");
    for (const char* method : {"prompt", "finetune"}) {
      RunRequest wanted = request(method, "a");
      const auto exact = execute(wanted).result;
      wanted.run.compute = "bf16";
      const auto rough = execute(wanted).result;
      ASSERT_TRUE(exact && rough);
      EXPECT_NE(exact->prompt_sha256, rough->prompt_sha256) << method;
      const StoredResult stored = read_result(folder_of(wanted) / "result.h5");
      for (const auto& [name, tensor] : stored.trained)
        EXPECT_EQ(tensor.scalar_type(), torch::kFloat32) << name;
    }
  }
}

TEST_F(Executor, CountsOnlyWhatIsTrained) {
  // 16 x 16 grid of locations: classes * S * D embeddings, and the projection's numbers.
  const auto prompt = execute(request("prompt", "a")).result;
  const auto none = execute(request("none", "a")).result;
  EXPECT_EQ(none->trainable_parameters, 0);
  EXPECT_TRUE(none->prompt_sha256.empty());
  const StoredResult stored = read_result(folder_of(request("prompt", "a")) / "result.h5");
  EXPECT_EQ(prompt->trainable_parameters, count_parameters(stored.trained));
  EXPECT_EQ(prompt->prompt_sha256, hash_tensors(stored.trained));
}

TEST_F(Executor, RecordsTheClassPriorOfTheGeneratedLabels) {
  const auto result = execute(request("none", "a")).result;
  double sum = 0;
  for (const auto& share : result->class_prior) sum += share.get<double>();
  EXPECT_NEAR(sum, 1.0, 1e-12);
}

TEST_F(Executor, NamesDamagedWeightsAndRecordsTheFailure) {
  damage(folder_.path() / "assets" / "tiny" / "transformer.safetensors");
  const RunRequest wanted = request("prompt", "a");
  try {
    execute(wanted);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("transformer.safetensors"), std::string::npos);
  }
  const experiments::AttemptRecord record = experiments::read_attempt(folder_of(wanted));
  EXPECT_EQ(record.status, "failed");
  EXPECT_EQ(record.cause.kind, "environment");
}

TEST_F(Executor, RefusesADamagedResultFile) {
  const RunRequest wanted = request("none", "a");
  execute(wanted);
  const auto file = folder_of(wanted) / "result.h5";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  damage(file);
  EXPECT_THROW(read_result(file), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
