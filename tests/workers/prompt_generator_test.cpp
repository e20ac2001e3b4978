#include "workers/models/prompt_generator.h"

#include <gtest/gtest.h>

#include "workers/random.h"

namespace marquee::workers {
namespace {

TEST(PromptGenerator, HasTheTrainableNumbersOfTheMethod) {
  // (C + S + 2) * D, and D^2 + D more with the Dense.
  EXPECT_EQ(count_parameters(init_prompt_generator({100, 32, 768, 0}, 1)), 102912);
  EXPECT_EQ(count_parameters(init_prompt_generator({100, 1, 768, 768}, 1)), 79104 + 590592);
}

TEST(PromptGenerator, StartsFromTruncatedNormalTablesAndANeutralNorm) {
  const PromptConfig config{50, 20, 64, 64};
  const ParameterMap parameters = init_prompt_generator(config, 1);
  check_parameters(parameters, prompt_shapes(config), "init");
  for (const char* name : {"prompt_embeddings/embedding", "prompt_position_embeddings/embedding",
                           "prompt_embedding_hidden_mapping/kernel"}) {
    EXPECT_LE(parameters.at(name).abs().max().item<double>(), 0.04 + 1e-7) << name;
    EXPECT_NEAR(parameters.at(name).std().item<double>(), 0.02 * 0.8796, 0.001) << name;
  }
  EXPECT_EQ(parameters.at("prompt_embeddings_ln/scale").min().item<float>(), 1.0F);
  EXPECT_EQ(parameters.at("prompt_embeddings_ln/bias").abs().max().item<float>(), 0.0F);
  EXPECT_EQ(parameters.at("prompt_embedding_hidden_mapping/bias").abs().max().item<float>(), 0.0F);
}

TEST(PromptGenerator, DependsOnTheSeed) {
  const PromptConfig config{3, 2, 8, 0};
  const char* name = "prompt_embeddings/embedding";
  const Tensor first = init_prompt_generator(config, 1).at(name);
  EXPECT_TRUE(torch::equal(first, init_prompt_generator(config, 1).at(name)));
  EXPECT_FALSE(torch::equal(first, init_prompt_generator(config, 2).at(name)));
}

TEST(PromptGenerator, MultipliesByTheDropoutFactors) {
  const PromptConfig config{3, 2, 8, 0};
  const ParameterMap parameters = init_prompt_generator(config, 1);
  const Tensor labels = torch::tensor({2, 0, 1});
  Tensor factors = torch::full({3, 2, 8}, 1 / 0.9);
  factors[1].zero_();
  const Tensor plain = prompt_tokens(config, parameters, labels);
  const Tensor dropped = prompt_tokens(config, parameters, labels, factors);
  EXPECT_EQ(dropped[1].abs().max().item<float>(), 0.0F);
  EXPECT_TRUE(torch::allclose(dropped[0], plain[0] / 0.9));
}

TEST(PromptGenerator, RefusesALabelOutsideTheClasses) {
  const PromptConfig config{3, 2, 8, 0};
  const ParameterMap parameters = init_prompt_generator(config, 1);
  EXPECT_ANY_THROW(prompt_tokens(config, parameters, torch::tensor({3})));
}

// Every kind, told classes alone or training images too, with and without the Dense.
std::vector<PromptConfig> every_kind() {
  std::vector<PromptConfig> all;
  for (const auto& [kind, factors] : {std::pair{PromptKind::additive, 0},
                                      {PromptKind::factorised, 1},
                                      {PromptKind::factorised, 3},
                                      {PromptKind::free, 0}}) {
    for (const std::int64_t instances : {0, 7}) {
      for (const std::int64_t hidden : {0, 8})
        all.push_back({/*classes=*/5, /*length=*/4, /*width=*/8, hidden, kind, factors, instances});
    }
  }
  return all;
}

// Numbers far from their initial values.
ParameterMap some_parameters(const PromptConfig& config) {
  ParameterMap parameters = init_prompt_generator(config, 3);
  std::uint64_t index = 0;
  for (auto& [name, tensor] : parameters) {
    PhiloxStream stream(5, cluster::Purpose::init, 1, index++);
    tensor = tensor + normal_tensor(stream, tensor.sizes().vec());
  }
  return parameters;
}

// The formulas of docs/method.md, number by number, in float64.
Tensor by_the_formula(const PromptConfig& config, const ParameterMap& parameters, std::int64_t c,
                      std::int64_t i, std::int64_t s) {
  const auto at = [&](const char* name) { return parameters.at(name).to(torch::kFloat64); };
  const bool instance = config.instances > 0 && i >= 0;
  Tensor sum = torch::zeros({config.width}, torch::kFloat64);
  switch (config.kind) {
    case PromptKind::additive:
      sum = at("prompt_embeddings/embedding")[c] + at("prompt_position_embeddings/embedding")[s];
      if (instance) sum = sum + at("prompt_instance_embeddings/embedding")[i];
      break;
    case PromptKind::factorised:
      sum = at("prompt_position_embeddings/embedding")[s];
      for (std::int64_t f = 0; f < config.factors; ++f) {
        Tensor term = at("prompt_embeddings/embedding")[c][f];
        if (instance) term = term + at("prompt_instance_embeddings/embedding")[i][f];
        sum = sum + at("prompt_factors/embedding")[s][f] * term;
      }
      break;
    case PromptKind::free:
      sum = at("prompt_embeddings/embedding")[c][s];
      if (instance) sum = sum + at("prompt_instance_embeddings/embedding")[i];
      break;
  }
  const Tensor centred = sum - sum.mean();
  Tensor prompt =
      centred / (centred.square().mean() + 1e-12).sqrt() * at("prompt_embeddings_ln/scale") +
      at("prompt_embeddings_ln/bias");
  if (config.hidden > 0) {
    prompt = prompt.matmul(at("prompt_embedding_hidden_mapping/kernel")) +
             at("prompt_embedding_hidden_mapping/bias");
  }
  return prompt;
}

TEST(PromptGenerator, FollowsTheFormulaOfEveryKind) {
  const Tensor classes = torch::tensor({4, 0, 2}), instances = torch::tensor({6, -1, 0});
  for (const PromptConfig& config : every_kind()) {
    const ParameterMap parameters = some_parameters(config);
    const Tensor prompts = prompt_tokens(config, parameters, {classes, instances});
    ASSERT_EQ(prompts.sizes(), at::IntArrayRef({3, config.length, config.width}));
    for (std::int64_t b = 0; b < 3; ++b) {
      for (std::int64_t s = 0; s < config.length; ++s) {
        const Tensor expected = by_the_formula(config, parameters, classes[b].item<std::int64_t>(),
                                               instances[b].item<std::int64_t>(), s);
        EXPECT_TRUE(torch::allclose(prompts[b][s].to(torch::kFloat64), expected, 1e-4, 1e-5))
            << "kind " << static_cast<int>(config.kind) << ", image " << b << ", position " << s;
      }
    }
  }
}

TEST(PromptGenerator, AnInstanceThatIsLeftOutIsTheClassAlone) {
  for (const PromptConfig& config : every_kind()) {
    const ParameterMap parameters = some_parameters(config);
    const Tensor classes = torch::tensor({1, 3});
    const Tensor alone = prompt_tokens(config, parameters, classes);
    EXPECT_TRUE(
        torch::equal(alone, prompt_tokens(config, parameters, {classes, torch::tensor({-1, -1})})));
    if (config.instances == 0) continue;
    EXPECT_FALSE(
        torch::equal(alone, prompt_tokens(config, parameters, {classes, torch::tensor({0, 6})})));
  }
}

TEST(PromptGenerator, FactorsStartAroundTheirMean) {
  const PromptConfig config{3, 16, 8, 0, PromptKind::factorised, 4, 0};
  const Tensor factors = init_prompt_generator(config, 1).at("prompt_factors/embedding");
  EXPECT_NEAR(factors.mean().item<double>(), 0.25, 0.01);
  EXPECT_GT(factors.std().item<double>(), 0.01);
}

}  // namespace
}  // namespace marquee::workers
