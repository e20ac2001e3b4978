#include "workers/models/transformer.h"

#include <gtest/gtest.h>

#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"

namespace marquee::workers {
namespace {

// Nothing here is equal to another size, so that swapped dimensions show.
const TransformerConfig kSmall{/*width=*/24,    /*layers=*/2,  /*heads=*/3, /*mlp=*/40,
                               /*codebook=*/11, /*classes=*/5, /*latent=*/3};
const PromptConfig kPrompts{/*classes=*/4, /*length=*/6, /*width=*/24, /*hidden=*/0};

Tensor masked_ids() {
  Tensor ids = torch::arange(2 * kSmall.positions()).reshape({2, kSmall.positions()}) % 11;
  ids.narrow(1, 0, 4).fill_(-1);
  return ids;
}

TEST(InitTransformer, HasEveryTensorOfTheNetwork) {
  EXPECT_NO_THROW(
      check_parameters(init_transformer(kSmall, 1), transformer_shapes(kSmall), "init"));
}

TEST(InitTransformer, FullSizeHasThePublishedCounts) {
  // Reference: 393 tensors; 172,457,193 numbers at 256 and 173,047,017 at 512.
  for (const auto& [latent, expected] : {std::pair<std::int64_t, std::int64_t>{16, 172457193},
                                         std::pair<std::int64_t, std::int64_t>{32, 173047017}}) {
    TransformerConfig config;
    config.latent = latent;
    const ShapeMap shapes = transformer_shapes(config);
    EXPECT_EQ(shapes.size(), 393U);
    std::int64_t numbers = 0;
    for (const auto& [name, shape] : shapes) numbers += c10::multiply_integers(shape);
    EXPECT_EQ(numbers, expected);
  }
}

TEST(InitTransformer, DrawsTruncatedNormalKernelsAndNeutralNorms) {
  const ParameterMap parameters = init_transformer(kSmall, 1);
  for (const auto& [name, tensor] : parameters) {
    if (name.ends_with("/scale")) {
      EXPECT_TRUE(torch::equal(tensor, torch::ones_like(tensor))) << name;
    } else if (name.ends_with("/bias")) {
      EXPECT_TRUE(torch::equal(tensor, torch::zeros_like(tensor))) << name;
    } else {
      EXPECT_LE(tensor.abs().max().item<double>(), 0.04 + 1e-7) << name;
      EXPECT_NEAR(tensor.std().item<double>(), 0.02 * 0.8796, 0.004) << name;
    }
  }
}

TEST(InitTransformer, GivesEachTensorAndSeedItsOwnNumbers) {
  const ParameterMap a = init_transformer(kSmall, 1), again = init_transformer(kSmall, 1),
                     other = init_transformer(kSmall, 2);
  const std::string query = "TransformerLayer_0/Attention_0/self_attention/query/kernel";
  const std::string key = "TransformerLayer_0/Attention_0/self_attention/key/kernel";
  EXPECT_TRUE(torch::equal(a.at(query), again.at(query)));
  EXPECT_FALSE(torch::equal(a.at(query), other.at(query)));
  EXPECT_FALSE(torch::equal(a.at(query), a.at(key)));
}

class PromptedLogits : public testing::Test {
 protected:
  ParameterMap base_ = init_transformer(kSmall, 1);
  ParameterMap generator_ = trainable_copy(init_prompt_generator(kPrompts, 2));
  Tensor prompts() const { return prompt_tokens(kPrompts, generator_, torch::tensor({3, 0})); }
};

TEST_F(PromptedLogits, IgnoreTheClassSlotOfTheIds) {
  Tensor other = masked_ids().clone();
  other.narrow(1, 0, 1).fill_(kSmall.codebook + 2);
  EXPECT_TRUE(torch::equal(prompted_logits(kSmall, base_, masked_ids(), prompts()),
                           prompted_logits(kSmall, base_, other, prompts())));
}

TEST_F(PromptedLogits, AtPositionsEqualThoseRowsOfAll) {
  const Tensor positions = torch::tensor({{9, 0, 4}, {1, 8, 1}});
  const Tensor all = prompted_logits(kSmall, base_, masked_ids(), prompts());
  const Tensor some = token_logits_at(
      kSmall, base_, prompted_hidden(kSmall, base_, masked_ids(), prompts()), positions);
  ASSERT_EQ(some.sizes(), at::IntArrayRef({2, 3, kSmall.codebook}));
  for (std::int64_t b = 0; b < 2; ++b) {
    EXPECT_TRUE(torch::allclose(some[b], all[b].index_select(0, positions[b]), 1e-5, 1e-6));
  }
}

TEST_F(PromptedLogits, LossAtMaskedPositionsHasTheGradientOfTheWholeLoss) {
  const Tensor ids = masked_ids(), positions = torch::tensor({{1, 2, 3}, {1, 2, 3}});
  const Tensor targets = torch::arange(2 * kSmall.positions()).reshape({2, -1}) % kSmall.codebook;
  Tensor weights = torch::zeros({2, kSmall.positions()});
  weights.narrow(1, 1, 3).fill_(1);
  const auto gradients = [&](bool masked_only) {
    for (auto& [name, leaf] : generator_) leaf.mutable_grad() = Tensor();
    const Tensor loss =
        masked_only
            ? masked_cross_entropy(
                  token_logits_at(kSmall, base_, prompted_hidden(kSmall, base_, ids, prompts()),
                                  positions),
                  targets.gather(1, positions), weights.gather(1, positions), 0.1)
            : masked_cross_entropy(prompted_logits(kSmall, base_, ids, prompts()), targets, weights,
                                   0.1);
    loss.mean().backward();
    ParameterMap result;
    for (const auto& [name, leaf] : generator_) result[name] = leaf.grad().clone();
    return result;
  };
  const ParameterMap whole = gradients(false), masked = gradients(true);
  for (const auto& [name, gradient] : whole) {
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-5) << name;
    EXPECT_TRUE(torch::allclose(masked.at(name), gradient, 1e-4, 1e-7)) << name;
  }
}

TEST_F(PromptedLogits, InBfloat16StayNearFloat32) {
  const Tensor exact = prompted_logits(kSmall, base_, masked_ids(), prompts());
  const Tensor rough = prompted_logits(kSmall, converted(base_, torch::kBFloat16), masked_ids(),
                                       prompts().to(torch::kBFloat16));
  EXPECT_EQ(rough.scalar_type(), torch::kBFloat16);
  const Tensor error = (rough.to(torch::kFloat32) - exact).abs();
  EXPECT_LT(error.max().item<double>(), 0.05 * exact.abs().max().item<double>());
}

// More images than attention takes at once in bfloat16 on the CPU.
TEST(BaseLogits, InBfloat16StayNearFloat32ForEveryImageOfALargeBatch) {
  const torch::InferenceMode inference;
  TransformerConfig config = kSmall;
  config.latent = 16;
  const ParameterMap base = init_transformer(config, 1);
  const Tensor ids = torch::arange(24 * config.positions()).reshape({24, -1}) * 7 % 11;
  const Tensor exact = base_logits(config, base, ids);
  const Tensor rough = base_logits(config, converted(base, torch::kBFloat16), ids);
  const Tensor error = (rough.to(torch::kFloat32) - exact).abs();
  EXPECT_LT(error.max().item<double>(), 0.05 * exact.abs().max().item<double>());
}

}  // namespace
}  // namespace marquee::workers
