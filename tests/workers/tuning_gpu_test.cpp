// Tuning on a GPU: the CPU's losses, no waiting inside a step, and bfloat16 near float32.
#include "tests/workers/gpu_test.h"
#include "tests/workers/tiny_base.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

constexpr int kClasses = 16;
constexpr double kTuningTolerance = 1e-4;
constexpr double kRoughTuningTolerance = 0.05;

class TuningOnGpu : public OnGpu {
 protected:
  TuningOnGpu() {
    tokens_.classes = kClasses;
    tokens_.labels = torch::arange(kClasses);
    tokens_.ids = (torch::arange(kClasses * base_.transformer.tokens()) * 7 % 31)
                      .reshape({kClasses, 1, 1, -1});
  }
  experiments::RunConfig run_of(const std::string& method) const {
    experiments::RunConfig run = tiny_run(base_, method);
    if (method == "prompt") run.conditions = "both";
    return run;
  }
  std::unique_ptr<Adapter> adapter(const experiments::RunConfig& run, torch::Device device) const {
    return make_adapter(run, base_, kClasses, kClasses, device);
  }
  std::vector<double> losses(const experiments::RunConfig& run, torch::Device device) const {
    const auto own = adapter(run, device);
    TuningState state{0, init_adamw(own->trained())};
    LocalCommunicator alone;
    while (state.step < run.steps) tuning_step(run, tokens_, *own, alone, state);
    settle_losses(state);
    return state.losses;
  }

  BaseModel base_ = tiny_base();
  TokenSet tokens_;
};

TEST_F(TuningOnGpu, LossesFollowTheCpus) {
  for (const char* method : {"prompt", "lora", "linear_class", "finetune"}) {
    const experiments::RunConfig run = run_of(method);
    const std::vector<double> expected = losses(run, torch::kCPU),
                              actual = losses(run, torch::kCUDA);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(actual[i], expected[i], kTuningTolerance * expected[i]) << method << " " << i;
  }
}

TEST_F(TuningOnGpu, InBfloat16StaysNearFloat32) {
  experiments::RunConfig run = run_of("prompt");
  const std::vector<double> expected = losses(run, torch::kCUDA);
  run.compute = "bf16";
  const std::vector<double> actual = losses(run, torch::kCUDA);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], kRoughTuningTolerance * expected[i]) << i;
}

TEST_F(TuningOnGpu, SamplesTokensOfTheRun) {
  const experiments::RunConfig run = run_of("prompt");
  const TaskClasses task{kClasses, tokens_.labels};
  const Subjects subjects = subjects_of(run, torch::arange(8), 0, task);
  const Tensor expected = adapter(run, torch::kCPU)->sample_tokens(run, subjects, 0),
               actual = adapter(run, torch::kCUDA)->sample_tokens(run, subjects, 0);
  EXPECT_TRUE(actual.is_cpu());
  // A near tie may go the other way, and what follows it with it.
  EXPECT_LE((actual != expected).sum().item<std::int64_t>(), expected.numel() / 10);
}

TEST_F(TuningOnGpu, StepsNeverWaitForTheGpu) {
#ifdef MARQUEE_CUDA
  for (const char* method : {"prompt", "lora", "linear_class"}) {
    const experiments::RunConfig run = run_of(method);
    const auto own = adapter(run, torch::kCUDA);
    TuningState state{0, init_adamw(own->trained())};
    LocalCommunicator alone;
    tuning_step(run, tokens_, *own, alone, state);  // handles and memory
    settle_losses(state);
    const WaitingIsAnError watch;
    EXPECT_NO_THROW({
      for (int i = 0; i < 4; ++i) tuning_step(run, tokens_, *own, alone, state);
    }) << method;
    EXPECT_EQ(state.pending.size(), 4u);
    // The watch itself: reading them is an error now.
    EXPECT_ANY_THROW(settle_losses(state));
  }
#else
  GTEST_SKIP() << "built without MARQUEE_CUDA";
#endif
}

}  // namespace
}  // namespace marquee::workers
