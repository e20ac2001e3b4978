// Decoding on a GPU: the CPU's ids, and no waiting for the GPU inside a step.
#include <optional>

#include "tests/workers/gpu_test.h"
#include "workers/models/decode.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

const TransformerConfig kDecodeConfig{/*width=*/192,   /*layers=*/2,   /*heads=*/4,
                                      /*mlp=*/768,
                                      /*codebook=*/64, /*classes=*/10, /*latent=*/8};
const PromptConfig kDecodePrompts{/*classes=*/4, /*length=*/16, /*width=*/192, /*hidden=*/0};
constexpr std::int64_t kDecodeBatch = 4;

class DecodeOnGpu : public OnGpu {
 protected:
  DecodeOnGpu() { options_.steps = 6; }

  // One row knows half of its image.
  static Tensor initial_ids() {
    Tensor ids = torch::full({kDecodeBatch, kDecodeConfig.positions()}, -1, torch::kInt64);
    ids[1].narrow(0, 10, 32).fill_(7);
    return ids;
  }
  static DecodeNoise noise(std::int64_t step, torch::Device device) {
    return philox_noise(1, 5, kDecodeBatch, step, kDecodeConfig.positions(), kDecodeConfig.codebook,
                        device);
  }

  DecodeOptions options_;
  ParameterMap base_ = init_transformer(kDecodeConfig, 1);
  Tensor prompts_ = prompt_tokens(kDecodePrompts, init_prompt_generator(kDecodePrompts, 2),
                                  torch::tensor({3, 0, 1, 2}));
};

TEST_F(DecodeOnGpu, NoiseHasTheBitsOfTheCpu) {
  const DecodeNoise expected = noise(3, torch::kCPU), actual = noise(3, torch::kCUDA);
  EXPECT_TRUE(actual.sample.is_cuda());
  EXPECT_TRUE(torch::equal(actual.sample.to(torch::kCPU), expected.sample));
  EXPECT_TRUE(torch::equal(actual.choice.to(torch::kCPU), expected.choice));
}

TEST_F(DecodeOnGpu, SameLogitsGiveTheSameIdsAndMasks) {
  const torch::InferenceMode inference;
  std::vector<DecodeStep> expected, actual;
  const LogitsFunction logits = [&](const Tensor& ids, std::int64_t) {
    return prompted_logits(kDecodeConfig, base_, ids.to(torch::kCPU), prompts_).to(ids.device());
  };
  const auto decode = [&](torch::Device device, std::vector<DecodeStep>& steps) {
    return decode_tokens(
        options_, initial_ids().to(device), logits,
        [&](std::int64_t step) { return noise(step, device); },
        [&](const DecodeStep& step) { steps.push_back(step); });
  };
  const Tensor ids = decode(torch::kCPU, expected);
  EXPECT_TRUE(torch::equal(decode(torch::kCUDA, actual).to(torch::kCPU), ids));
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(torch::equal(actual[i].mask_count.to(torch::kCPU), expected[i].mask_count)) << i;
    EXPECT_TRUE(torch::equal(actual[i].mask.to(torch::kCPU), expected[i].mask)) << i;
  }
}

TEST_F(DecodeOnGpu, FirstStepOfTheNetworkDrawsTheCpusIds) {
  const torch::InferenceMode inference;
  options_.steps = 1;
  const auto decode = [&](torch::Device device) {
    const ParameterMap base = device.is_cpu() ? base_ : on_gpu(base_);
    const Tensor prompts = prompts_.to(device);
    return decode_tokens(
               options_, initial_ids().to(device),
               [&](const Tensor& ids, std::int64_t) {
                 return prompted_logits(kDecodeConfig, base, ids, prompts);
               },
               [&](std::int64_t step) { return noise(step, device); })
        .to(torch::kCPU);
  };
  const Tensor expected = decode(torch::kCPU);
  // A near tie may go the other way: at most one token of a hundred.
  EXPECT_LE((decode(torch::kCUDA) != expected).sum().item<std::int64_t>(), expected.numel() / 100);
}

TEST_F(DecodeOnGpu, StepsNeverWaitForTheGpu) {
#ifdef MARQUEE_CUDA
  const torch::InferenceMode inference;
  const ParameterMap base = on_gpu(base_);
  const Tensor prompts = prompts_.to(torch::kCUDA), initial = initial_ids().to(torch::kCUDA);
  std::optional<WaitingIsAnError> watch;
  const auto decode = [&](bool watched) {
    return decode_tokens(
        options_, initial,
        [&](const Tensor& ids, std::int64_t) {
          // From the first step on: before it, decode_tokens reads the counts.
          if (watched && !watch) watch.emplace();
          return prompted_logits(kDecodeConfig, base, ids, prompts);
        },
        [&](std::int64_t step) { return noise(step, torch::kCUDA); });
  };
  decode(/*watched=*/false);
  EXPECT_NO_THROW(decode(/*watched=*/true));
  // The watch itself: reading a value is an error now.
  EXPECT_ANY_THROW(initial.sum().item<std::int64_t>());
#else
  GTEST_SKIP() << "built without MARQUEE_CUDA";
#endif
}

}  // namespace
}  // namespace marquee::workers
