// The real NCCL with a gang of one: it joins, sums, is given up and made anew, and tuning over it
// has the bits of tuning alone on the same GPU.
#include "tests/workers/gpu_test.h"
#include "tests/workers/quiet_progress.h"
#include "tests/workers/tiny_base.h"
#include "workers/device.h"
#include "workers/gang/nccl_communicator.h"
#include "workers/runs/run_executor.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

class NcclOnGpu : public OnGpu {
 protected:
  static std::unique_ptr<NcclCommunicator> gang() {
    const NcclLibrary& library = NcclLibrary::of_this_process();
    return std::make_unique<NcclCommunicator>(library, side_stream(torch::kCUDA),
                                              NcclCommunicator::make_id(library), 0, 1,
                                              NcclWaiting());
  }
  static Tensor numbers(std::int64_t count) {
    return torch::arange(count, torch::device(torch::kCUDA)).to(torch::kFloat32) / 7;
  }
};

TEST_F(NcclOnGpu, SumsOfTensorsThereAndOfTensorsOnTheHost) {
  const auto own = gang();
  EXPECT_TRUE(own->usable());
  std::vector<std::unique_ptr<PendingSum>> sums;
  for (const std::int64_t count : {1, 1000, 1 << 22})
    sums.push_back(own->start_sum(numbers(count) * 3));
  const Tensor there = sums[2]->result();
  EXPECT_TRUE(there.is_cuda());
  EXPECT_TRUE(there.equal(numbers(1 << 22) * 3));
  EXPECT_TRUE(sums[0]->result().equal(numbers(1) * 3));
  const Tensor on_host = torch::full({2, 2}, 0.1F);
  const Tensor back = own->sum(on_host);
  EXPECT_TRUE(back.is_cpu());
  EXPECT_TRUE(back.equal(on_host));
  own->settle();
}

TEST_F(NcclOnGpu, GivenUpAndMadeAnew) {
  for (int i = 0; i < 3; ++i) {
    const auto own = gang();
    own->start_sum(numbers(1 << 20));
    own->give_up();
    EXPECT_FALSE(own->usable());
    EXPECT_ANY_THROW(own->sum(numbers(3)));
  }
  const auto last = gang();
  EXPECT_TRUE(last->sum(numbers(100)).equal(numbers(100)));
}

TEST_F(NcclOnGpu, TuningHasTheBitsOfTuningAlone) {
  const BaseModel base = tiny_base();
  TokenSet tokens;
  tokens.classes = 16;
  tokens.labels = torch::arange(16);
  tokens.ids = (torch::arange(16 * base.transformer.tokens()) * 7 % 31).reshape({16, 1, 1, -1});
  const DeterministicKernels deterministic(torch::kCUDA);
  for (const char* method : {"prompt", "finetune"}) {
    experiments::RunConfig run = tiny_run(base, method);
    run.micro_batches = 2;
    const auto tune = [&](Communicator& with) {
      const auto adapter = make_adapter(run, base, 16, 0, torch::kCUDA);
      TuningState state{0, init_adamw(adapter->trained())};
      while (state.step < run.steps) tuning_step(run, tokens, *adapter, with, state);
      with.settle();
      settle_losses(state);
      ParameterMap trained;
      for (const auto& [name, leaf] : adapter->trained()) trained[name] = leaf.detach().cpu();
      return trained;
    };
    LocalCommunicator alone;
    const ParameterMap expected = tune(alone);
    const auto own = gang();
    EXPECT_TRUE(same_bits(tune(*own), expected)) << method;
  }
}

TEST_F(NcclOnGpu, WholeRunsHaveTheBitsOfThoseAlone) {
  const TemporaryFolder folder;
  const BaseModel base = install_tiny_base(folder.path() / "assets");
  for (const char* method : {"prompt", "finetune"}) {
    const experiments::RunConfig run = tiny_run(base, method);
    const auto result = [&](Communicator& with, const char* results) {
      QuietProgress quiet;
      return *RunExecutor(1, torch::kCUDA)
                  .execute({run, 1, 1, folder.path() / results, {}, folder.path() / "assets"}, with,
                           quiet)
                  .result;
    };
    LocalCommunicator alone;
    const experiments::ResultRecord expected = result(alone, "alone");
    const auto own = gang();
    const experiments::ResultRecord actual = result(*own, "gang");
    EXPECT_EQ(actual.prompt_sha256, expected.prompt_sha256) << method;
    EXPECT_EQ(actual.tokens_sha256, expected.tokens_sha256) << method;
    EXPECT_EQ(actual.metrics.front().value, expected.metrics.front().value) << method;
    EXPECT_NE(actual.fingerprint.at("device"), "cpu");
  }
}

}  // namespace
}  // namespace marquee::workers
