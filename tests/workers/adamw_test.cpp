#include "workers/models/adamw.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

ParameterMap one(float value) {
  return {{"w", torch::full({1}, value)}};
}

TEST(AdamW, FirstStepMovesByTheRateAgainstTheGradient) {
  ParameterMap parameters = one(1.0F);
  AdamWState state = init_adamw(parameters);
  adamw_step(parameters, one(-0.3F), state, 0.01);
  // Bias correction makes the first update the sign of the gradient.
  EXPECT_NEAR(parameters.at("w").item<double>(), 1.01, 1e-6);
  EXPECT_NEAR(state.mu.at("w").item<double>(), 0.1 * -0.3, 1e-7);
  EXPECT_NEAR(state.nu.at("w").item<double>(), 0.04 * 0.09, 1e-8);
  EXPECT_EQ(state.step, 1);
}

TEST(AdamW, WeightDecayIsDecoupledFromTheMoments) {
  ParameterMap parameters = one(2.0F);
  AdamWState state = init_adamw(parameters);
  AdamWOptions options;
  options.weight_decay = 0.1;
  adamw_step(parameters, one(0.0F), state, 0.5, options);
  EXPECT_NEAR(parameters.at("w").item<double>(), 2.0 - 0.5 * 0.1 * 2.0, 1e-6);
  EXPECT_EQ(state.mu.at("w").item<double>(), 0.0);
}

TEST(AdamW, EpsilonIsAddedOutsideTheRoot) {
  ParameterMap parameters = one(0.0F);
  AdamWState state = init_adamw(parameters);
  AdamWOptions options;
  options.epsilon = 1.0;
  adamw_step(parameters, one(1.0F), state, 1.0, options);
  EXPECT_NEAR(parameters.at("w").item<double>(), -1.0 / (1.0 + 1.0), 1e-6);
}

TEST(AdamW, UpdatesLeavesThatRequireAGradientInPlace) {
  ParameterMap parameters = trainable_copy(one(1.0F));
  const Tensor leaf = parameters.at("w");
  AdamWState state = init_adamw(parameters);
  adamw_step(parameters, one(1.0F), state, 0.25);
  EXPECT_NEAR(leaf.item<double>(), 0.75, 1e-6);
  EXPECT_TRUE(leaf.is_leaf());
}

TEST(AdamW, RefusesAMissingGradientBeforeChangingAnything) {
  ParameterMap parameters{{"a", torch::ones({1})}, {"b", torch::ones({1})}};
  AdamWState state = init_adamw(parameters);
  EXPECT_THROW(adamw_step(parameters, {{"a", torch::ones({1})}}, state, 0.1), cluster::Error);
  EXPECT_EQ(parameters.at("a").item<float>(), 1.0F);
  EXPECT_EQ(state.step, 0);
}

TEST(CosineRate, FallsFromThePeakToZero) {
  EXPECT_DOUBLE_EQ(cosine_rate(1e-3, 0, 10), 1e-3);
  EXPECT_NEAR(cosine_rate(1e-3, 5, 10), 5e-4, 1e-12);
  EXPECT_NEAR(cosine_rate(1e-3, 10, 10), 0.0, 1e-12);
  EXPECT_NEAR(cosine_rate(1e-3, 99, 10), 0.0, 1e-12);
}

TEST(CosineRate, WarmsUpLinearlyToThePeak) {
  EXPECT_DOUBLE_EQ(cosine_rate(1.0, 0, 10, 4), 0.25);
  EXPECT_DOUBLE_EQ(cosine_rate(1.0, 3, 10, 4), 1.0);
  EXPECT_DOUBLE_EQ(cosine_rate(1.0, 4, 10, 4), 1.0);
  EXPECT_LT(cosine_rate(1.0, 5, 10, 4), 1.0);
}

TEST(CosineRate, RefusesAScheduleThatIsAllWarmUp) {
  EXPECT_THROW(cosine_rate(1.0, 0, 4, 4), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
