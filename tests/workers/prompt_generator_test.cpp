#include "workers/models/prompt_generator.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace marquee::workers
