// The networks on a GPU against the same on the CPU.
#include "tests/workers/gpu_test.h"
#include "workers/models/loss.h"
#include "workers/models/masking.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/tokenizer.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

// MaskGIT's head width (48) in a small network.
const TransformerConfig kConfig{/*width=*/192,   /*layers=*/3,   /*heads=*/4, /*mlp=*/768,
                                /*codebook=*/64, /*classes=*/10, /*latent=*/8};
const PromptConfig kPrompts{/*classes=*/4, /*length=*/16, /*width=*/192, /*hidden=*/0};
constexpr double kFloat32Tolerance = 1e-4;  // of sums in another order, through all layers
constexpr double kBfloat16Tolerance = 0.05;

class ModelsOnGpu : public OnGpu {
 protected:
  static Tensor labels() { return torch::tensor({3, 0, 1, 2}); }
  static Tensor targets() {
    return torch::arange(4 * kConfig.positions()).reshape({4, -1}) * 7 % kConfig.codebook;
  }
  static MaskedTokens masked() {
    const Tensor scores = torch::arange(4 * kConfig.positions()).reshape({4, -1}) * 37 % 101;
    return apply_mask(targets(), scores.to(torch::kFloat32), {1, 20, 40, 65});
  }
  // Loss of the prompted model with all its inputs where `base` is.
  static Tensor loss(const ParameterMap& base, const ParameterMap& generator) {
    const torch::Device device = base.begin()->second.device();
    const MaskedTokens tokens = masked();
    const Tensor prompts = prompt_tokens(kPrompts, generator, labels().to(device));
    const Tensor logits = prompted_logits(kConfig, base, tokens.ids.to(device), prompts);
    return masked_cross_entropy(logits, targets().to(device), tokens.weights.to(device), 0.1)
        .mean();
  }

  ParameterMap base_ = init_transformer(kConfig, 1);
  ParameterMap generator_ = init_prompt_generator(kPrompts, 2);
};

TEST_F(ModelsOnGpu, BaseAndPromptedLogitsMatchTheCpu) {
  const torch::InferenceMode inference;
  const Tensor ids = masked().ids;
  const Tensor prompts = prompt_tokens(kPrompts, generator_, labels());
  const ParameterMap base = on_gpu(base_);
  EXPECT_LT(
      deviation(base_logits(kConfig, base, ids.to(torch::kCUDA)), base_logits(kConfig, base_, ids)),
      kFloat32Tolerance);
  EXPECT_LT(deviation(prompted_logits(
                          kConfig, base, ids.to(torch::kCUDA),
                          prompt_tokens(kPrompts, on_gpu(generator_), labels().to(torch::kCUDA))),
                      prompted_logits(kConfig, base_, ids, prompts)),
            kFloat32Tolerance);
}

TEST_F(ModelsOnGpu, LossAndItsGradientsMatchTheCpu) {
  const ParameterMap base = trainable_copy(base_), generator = trainable_copy(generator_);
  const ParameterMap gpu_base = trainable_copy(on_gpu(base_)),
                     gpu_generator = trainable_copy(on_gpu(generator_));
  const Tensor expected = loss(base, generator), actual = loss(gpu_base, gpu_generator);
  EXPECT_LT(deviation(actual, expected), 1e-5);
  expected.backward();
  actual.backward();
  const auto compare = [](const ParameterMap& ours, const ParameterMap& theirs) {
    double largest = 0;
    for (const auto& [name, leaf] : theirs)
      largest = std::max(largest, leaf.grad().abs().max().item<double>());
    for (const auto& [name, leaf] : theirs) {
      const Tensor error = ours.at(name).grad().to(torch::kCPU) - leaf.grad();
      // The bias of the keys has no gradient but rounding: hence a share of the largest of all.
      EXPECT_LT(error.abs().max().item<double>(), kFloat32Tolerance * largest) << name;
    }
  };
  compare(gpu_base, base);
  compare(gpu_generator, generator);
}

TEST_F(ModelsOnGpu, Bfloat16StaysNearFloat32) {
  const torch::InferenceMode inference;
  const Tensor ids = masked().ids;
  const Tensor exact =
      prompted_logits(kConfig, base_, ids, prompt_tokens(kPrompts, generator_, labels()));
  const ParameterMap base = converted(on_gpu(base_), torch::kBFloat16),
                     generator = converted(on_gpu(generator_), torch::kBFloat16);
  const Tensor rough =
      prompted_logits(kConfig, base, ids.to(torch::kCUDA),
                      prompt_tokens(kPrompts, generator, labels().to(torch::kCUDA)));
  EXPECT_EQ(rough.scalar_type(), torch::kBFloat16);
  EXPECT_LT(deviation(rough, exact), kBfloat16Tolerance);
}

// Without the kernel that writes all scores to memory, attention must find a fused one.
TEST_F(ModelsOnGpu, AttentionHasAFusedKernelForwardsAndBackwards) {
  at::globalContext().setSDPUseMath(false);
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const ParameterMap base = trainable_copy(converted(on_gpu(base_), type)),
                       generator = trainable_copy(converted(on_gpu(generator_), type));
    EXPECT_NO_THROW(loss(base, generator).backward()) << c10::toString(type);
  }
  at::globalContext().setSDPUseMath(true);
}

TEST_F(ModelsOnGpu, MaskingPicksTheSameTokens) {
  const Tensor scores = (torch::arange(2 * 65).reshape({2, 65}) * 37 % 50).to(torch::kFloat32);
  const Tensor tokens = targets().narrow(0, 0, 2);
  const MaskedTokens expected = apply_mask(tokens, scores, {3, 60});
  const MaskedTokens actual = apply_mask(tokens.to(torch::kCUDA), scores.to(torch::kCUDA), {3, 60});
  EXPECT_TRUE(torch::equal(actual.ids.to(torch::kCPU), expected.ids));
  EXPECT_TRUE(torch::equal(actual.weights.to(torch::kCPU), expected.weights));
}

TEST_F(ModelsOnGpu, TokenizerMatchesTheCpu) {
  const torch::InferenceMode inference;
  const TokenizerConfig config{32, {1, 2, 2}, 1, 16, 64, 64, 8};
  const ParameterMap weights = init_tokenizer(config, 1), gpu_weights = on_gpu(weights);
  const Tensor images =
      (torch::arange(4 * 3 * 64 * 64).reshape({4, 3, 64, 64}).to(torch::kFloat32) * 0.37)
          .sin()
          .square();
  const Tensor encoded = encode(config, weights, images),
               gpu_encoded = encode(config, gpu_weights, images.to(torch::kCUDA));
  EXPECT_LT(deviation(gpu_encoded, encoded), kFloat32Tolerance);
  const Tensor ids = quantise(weights.at("quantizer/codebook"), encoded).ids;
  const Tensor gpu_ids =
      quantise(gpu_weights.at("quantizer/codebook"), gpu_encoded).ids.to(torch::kCPU);
  // Two codes at nearly the same distance may change places: one token of a thousand.
  EXPECT_LE((gpu_ids != ids).sum().item<std::int64_t>(), ids.numel() / 1000);
  EXPECT_LT(deviation(decode_ids(config, gpu_weights, ids.to(torch::kCUDA)),
                      decode_ids(config, weights, ids)),
            kFloat32Tolerance);
}

}  // namespace
}  // namespace marquee::workers
