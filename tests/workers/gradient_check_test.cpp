// Gradients of the masked loss against finite differences, in float64.
#include <gtest/gtest.h>

#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

const TransformerConfig kSmall{/*width=*/24,    /*layers=*/2,  /*heads=*/3, /*mlp=*/40,
                               /*codebook=*/11, /*classes=*/5, /*latent=*/3};
const PromptConfig kPrompts{/*classes=*/4, /*length=*/6, /*width=*/24, /*hidden=*/24};
constexpr double kStep = 1e-5, kTolerance = 1e-6;

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
  GradientCheck() {
    for (std::int64_t place : {0, 2, 3, 7, 9}) {
      ids_.select(1, place).fill_(-1);
      weights_.select(1, place).fill_(1);
    }
  }

  Tensor loss() const {
    const Tensor prompts = prompt_tokens(kPrompts, generator_, torch::tensor({3, 0}));
    const Tensor losses = masked_cross_entropy(prompted_logits(kSmall, base_, ids_, prompts),
                                               targets_, weights_, 0.1);
    EXPECT_EQ(losses.scalar_type(), torch::kFloat64);
    return losses.mean();
  }

  // The derivative along a random direction of each tensor alone, and of all together.
  void expect_gradients(ParameterMap& trained) {
    loss().backward();
    const torch::NoGradGuard no_grad;
    double together = 0;
    ParameterMap directions;
    std::uint64_t index = 0;
    for (auto& [name, leaf] : trained) {
      PhiloxStream stream(4, cluster::Purpose::init, 1, index++);
      const Tensor direction = normal_tensor(stream, leaf.sizes().vec()).to(torch::kFloat64);
      directions[name] = direction / direction.norm();
      ASSERT_TRUE(leaf.grad().defined()) << name;
      const double expected = (leaf.grad() * directions[name]).sum().item<double>();
      together += expected;
      const auto move = [&, &moved = leaf](double by) { moved.add_(directions[name], by); };
      expect_derivative(move, expected, name);
    }
    const auto move_all = [&](double by) {
      for (auto& [name, leaf] : trained) leaf.add_(directions[name], by);
    };
    expect_derivative(move_all, together, "all tensors");
  }

  void expect_derivative(const std::function<void(double)>& move, double expected,
                         const std::string& what) {
    move(kStep);
    const double above = loss().item<double>();
    move(-2 * kStep);
    const double below = loss().item<double>();
    move(kStep);
    // The loss is about 3; its rounding leaves 1e-11 in the difference.
    EXPECT_NEAR((above - below) / (2 * kStep), expected, kTolerance * std::abs(expected) + 1e-10)
        << what;
  }

  ParameterMap base_ = rough(init_transformer(kSmall, 1), 5);
  ParameterMap generator_ = rough(init_prompt_generator(kPrompts, 2), 6);
  Tensor targets_ = torch::arange(2 * kSmall.positions()).reshape({2, -1}) % kSmall.codebook;
  Tensor ids_ = targets_.clone();
  Tensor weights_ = torch::zeros({2, kSmall.positions()});
};

TEST_F(GradientCheck, PromptsFollowFiniteDifferences) {
  expect_gradients(generator_);
}

TEST_F(GradientCheck, BaseWeightsFollowFiniteDifferences) {
  // A class row that nothing looks at has no gradient, and neither has the finite difference.
  expect_gradients(base_);
}

}  // namespace
}  // namespace marquee::workers
