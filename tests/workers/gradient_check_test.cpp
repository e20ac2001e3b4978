// Gradients of the masked loss against finite differences, in float64.
#include <gtest/gtest.h>

#include "tests/workers/finite_differences.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

const TransformerConfig kSmall{/*width=*/24,    /*layers=*/2,  /*heads=*/3, /*mlp=*/40,
                               /*codebook=*/11, /*classes=*/5, /*latent=*/3};
const PromptConfig kPrompts{/*classes=*/4, /*length=*/6, /*width=*/24, /*hidden=*/24};

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

  void expect_gradients(ParameterMap& trained) {
    expect_finite_differences([this] { return loss(); }, trained);
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
