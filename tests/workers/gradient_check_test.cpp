// Gradients of the losses that are tuned by against finite differences, in float64, for everything
// that is trained.
#include <gtest/gtest.h>

#include "tests/workers/finite_differences.h"
#include "tests/workers/tiny_base.h"
#include "workers/models/marquee_header.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"
#include "workers/random.h"
#include "workers/tuning/family_model.h"

namespace marquee::workers {
namespace {

const TransformerConfig kChecked{/*width=*/24,    /*layers=*/2,  /*heads=*/3, /*mlp=*/40,
                                 /*codebook=*/11, /*classes=*/5, /*latent=*/3};

// Wider than the initialiser draws, so that attention and norms are far from linear.
ParameterMap rough(const ParameterMap& parameters, std::uint64_t seed) {
  ParameterMap result;
  std::uint64_t index = 0;
  for (const auto& [name, tensor] : parameters) {
    PhiloxStream stream(seed, cluster::Purpose::init, 9, index++);
    result[name] = (tensor + 0.3 * normal_tensor(stream, tensor.sizes().vec())).to(torch::kFloat64);
  }
  return trainable_copy(result);
}

class GradientCheck : public testing::Test {
 protected:
  // Rows of tiny images, the masked tokens of which differ in number.
  GradientCheck() {
    batch_.targets = torch::arange(2 * kChecked.tokens()).reshape({2, -1}) % kChecked.codebook;
    PhiloxStream stream(7, cluster::Purpose::mask_scores);
    mask_batch(batch_, uniform_tensor(stream, {2, kChecked.tokens()}), {5, 3});
  }

  // Of the path that tuning takes, on a masked base.
  Tensor loss(const Condition& condition) const { return loss(condition, base_); }
  Tensor loss(const Condition& condition, const ParameterMap& weights) const {
    const Tensor losses = make_masked_model(kChecked, /*recompute=*/false)
                              ->sample_losses(weights, condition, batch_, 0.1);
    EXPECT_EQ(losses.scalar_type(), torch::kFloat64);
    return losses.mean();
  }

  TuningBatch batch_;
  ParameterMap base_ = rough(init_transformer(kChecked, 1), 5);
};

// Of the tokens that stand masked in the batch, from the logits of all: the loss by its formula.
TEST_F(GradientCheck, LossIsThatOfTheMaskedTokensAlone) {
  constexpr double kSmoothing = 0.1;
  const Tensor prompts = rough({{"p", torch::zeros({2, 4, kChecked.width})}}, 4).at("p").detach();
  const Tensor losses = make_masked_model(kChecked, /*recompute=*/false)
                            ->sample_losses(base_, {.prompts = prompts}, batch_, kSmoothing);
  const Tensor ids = at::cat({torch::zeros({2, 1}, torch::kInt64), batch_.ids}, 1);
  const Tensor logs = at::log_softmax(prompted_logits(kChecked, base_, ids, prompts), -1);
  const Tensor masked = batch_.ids == -1;
  ASSERT_TRUE(torch::equal(masked.sum(1), torch::tensor({5, 3})));
  for (std::int64_t row = 0; row < 2; ++row) {
    double sum = 0;
    for (std::int64_t n = 0; n < kChecked.tokens(); ++n) {
      if (!masked[row][n].item<bool>()) continue;
      const Tensor token = logs[row][n + 1];  // slot 0 is no token
      const auto target = batch_.targets[row][n].item<std::int64_t>();
      sum -= (1 - kSmoothing) * token[target].item<double>() +
             kSmoothing * token.mean().item<double>();
    }
    EXPECT_NEAR(losses[row].item<double>(), sum / masked[row].sum().item<double>(), 1e-6) << row;
  }
}

std::vector<PromptConfig> every_generator() {
  std::vector<PromptConfig> all;
  for (const auto& [kind, factors] :
       {std::pair{PromptKind::additive, 0}, {PromptKind::factorised, 3}, {PromptKind::free, 0}}) {
    for (const std::int64_t instances : {0, 5}) {
      for (const std::int64_t hidden : {0, 24})
        all.push_back(
            {/*classes=*/4, /*length=*/6, /*width=*/24, hidden, kind, factors, instances});
    }
  }
  return all;
}

const Identifiers kAsked{torch::tensor({3, 0}), torch::tensor({4, 1})};

TEST_F(GradientCheck, GeneratorsOfEveryKindFollowFiniteDifferences) {
  for (const PromptConfig& config : every_generator()) {
    ParameterMap generator = rough(init_prompt_generator(config, 2), 6);
    expect_finite_differences(
        [&] { return loss({.prompts = prompt_tokens(config, generator, kAsked)}); }, generator);
  }
}

TEST_F(GradientCheck, MarqueeHeadersFollowFiniteDifferencesInBothSpaces) {
  const Identifiers other{torch::tensor({1, 2}), torch::tensor({0, 3})};
  for (const PromptConfig& config : every_generator()) {
    for (const bool token_space : {true, false}) {
      ParameterMap generator = rough(init_prompt_generator(config, 2), 6);
      const auto prompts = [&] {
        std::vector<Tensor> waypoints;
        for (const Identifiers& identifiers : {kAsked, other}) {
          const Tensor embeddings = prompt_embeddings(config, generator, identifiers);
          waypoints.push_back(token_space ? finish_prompts(config, generator, embeddings)
                                          : embeddings);
        }
        const Tensor mixed = marquee_mix(waypoints, 0.3);
        return token_space ? mixed : finish_prompts(config, generator, mixed);
      };
      expect_finite_differences([&] { return loss({.prompts = prompts()}); }, generator);
    }
  }
}

TEST_F(GradientCheck, LowRankAdditionsFollowFiniteDifferences) {
  ParameterMap trained = rough(random_weights(lora_shapes(kChecked, /*rank=*/2), 3, 0.2F), 8);
  trained["rows"] = rough({{"rows", torch::zeros({2, kChecked.width})}}, 9).at("rows");
  const auto with_additions = [&] {
    ParameterMap weights = base_;
    for (const auto& [name, tensor] : trained)
      if (name != "rows") weights[name] = tensor;
    return loss({.class_rows = trained.at("rows")}, weights);
  };
  expect_finite_differences(with_additions, trained);
}

TEST_F(GradientCheck, BaseWeightsFollowFiniteDifferences) {
  // A class row that nothing looks at has no gradient, and neither has the finite difference.
  expect_finite_differences([&] { return loss({.classes = torch::tensor({3, 0})}); }, base_);
}

TEST(AutoregressiveGradientCheck, PromptsClassesAndAdditionsFollowFiniteDifferences) {
  const GptConfig config{24, 2, 3, 48, 20, 16, 5, 4};
  const ParameterMap base = converted(random_weights(gpt_shapes(config), 3, 0.1F), torch::kFloat64);
  TuningBatch batch;
  batch.targets = torch::arange(2 * config.tokens()).reshape({2, -1}) % config.codebook;
  const auto model = make_autoregressive_model(config, /*recompute=*/false);
  const auto loss = [&](const ParameterMap& weights, const Condition& condition) {
    return model->sample_losses(weights, condition, batch, 0.1).mean();
  };
  for (const PromptConfig& generator : every_generator()) {
    ParameterMap trained = rough(init_prompt_generator(generator, 2), 6);
    expect_finite_differences(
        [&] { return loss(base, {.prompts = prompt_tokens(generator, trained, kAsked)}); },
        trained);
  }
  ParameterMap trained = rough(random_weights(gpt_lora_shapes(config, 2), 3, 0.2F), 8);
  trained["rows"] = rough({{"rows", torch::zeros({2, config.width})}}, 9).at("rows");
  expect_finite_differences(
      [&] {
        ParameterMap weights = base;
        for (const auto& [name, tensor] : trained)
          if (name != "rows") weights[name] = tensor;
        return loss(weights, {.class_rows = trained.at("rows")});
      },
      trained);
}

}  // namespace
}  // namespace marquee::workers
