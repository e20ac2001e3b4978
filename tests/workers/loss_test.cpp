#include "workers/models/loss.h"

#include <cmath>

#include <gtest/gtest.h>

namespace marquee::workers {
namespace {

Tensor ids(std::vector<std::int64_t> values) {
  return torch::tensor(values).unsqueeze(0);
}
Tensor weights(std::vector<float> values) {
  return torch::tensor(values).unsqueeze(0);
}

// Log-probabilities 1/2, 1/4, 1/4 at every position.
Tensor known_logits(std::int64_t positions) {
  return torch::tensor({0.5F, 0.25F, 0.25F}).log().expand({1, positions, 3}).contiguous();
}

TEST(MaskedCrossEntropy, AveragesTheWeightedPositionsOnly) {
  const Tensor loss = masked_cross_entropy(known_logits(3), ids({0, 1, 2}), weights({1, 1, 0}), 0);
  EXPECT_NEAR(loss.item<double>(), (std::log(2.0) + std::log(4.0)) / 2, 1e-6);
}

TEST(MaskedCrossEntropy, SmoothingSpreadsItsShareOverAllCodes) {
  const Tensor loss = masked_cross_entropy(known_logits(1), ids({0}), weights({1}), 0.3);
  const double all = std::log(2.0) + 2 * std::log(4.0);
  EXPECT_NEAR(loss.item<double>(), 0.7 * std::log(2.0) + 0.1 * all, 1e-6);
}

TEST(MaskedCrossEntropy, TargetOutsideTheCodesHasNoOneHotEntry) {
  for (const std::int64_t outside : {std::int64_t{3}, std::int64_t{1000}, std::int64_t{-1}}) {
    const Tensor loss = masked_cross_entropy(known_logits(1), ids({outside}), weights({1}), 0.3);
    EXPECT_NEAR(loss.item<double>(), 0.1 * (std::log(2.0) + 2 * std::log(4.0)), 1e-6) << outside;
  }
}

TEST(MaskedCrossEntropy, SampleWithoutMaskedTokensCountsAsZero) {
  const Tensor logits = known_logits(2).requires_grad_();
  const Tensor loss = masked_cross_entropy(logits, ids({0, 1}), weights({0, 0}), 0.1);
  EXPECT_EQ(loss.item<double>(), 0.0);
  loss.sum().backward();
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0.0);
}

TEST(MaskedCrossEntropy, LossOfASampleDoesNotDependOnTheOthers) {
  const Tensor logits = torch::arange(24).to(torch::kFloat32).sin().reshape({2, 4, 3});
  const Tensor targets = torch::tensor({0, 1, 2, 0, 2, 2, 1, 0}, torch::kInt64).reshape({2, 4});
  const Tensor weight = torch::tensor({1, 0, 1, 1, 0, 1, 0, 0}, torch::kFloat32).reshape({2, 4});
  const Tensor both = masked_cross_entropy(logits, targets, weight, 0.1);
  for (std::int64_t i = 0; i < 2; ++i) {
    const Tensor one = masked_cross_entropy(logits.narrow(0, i, 1), targets.narrow(0, i, 1),
                                            weight.narrow(0, i, 1), 0.1);
    EXPECT_TRUE(torch::equal(both.narrow(0, i, 1), one));
  }
}

}  // namespace
}  // namespace marquee::workers
