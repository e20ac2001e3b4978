// What runs on a GPU makes no tensor on the CPU beside it: on the meta device, whose tensors have
// shapes and no values, every operator with a CPU tensor among its inputs fails. Lookups, norms,
// attention and convolutions do not exist there; *_gpu_test.cpp has them.
#include <gtest/gtest.h>

#include "workers/models/loss.h"
#include "workers/models/masking.h"
#include "workers/models/tokenizer.h"

namespace marquee::workers {
namespace {

ParameterMap on_meta(const ParameterMap& parameters) {
  ParameterMap result;
  for (const auto& [name, tensor] : parameters) result[name] = tensor.to(torch::kMeta);
  return result;
}

TEST(AnyDevice, MaskingAndLossStayOnTheirs) {
  const Tensor targets = torch::zeros({2, 10}, torch::kInt64).to(torch::kMeta);
  const MaskedTokens masked = apply_mask(targets, torch::zeros({2, 10}).to(torch::kMeta), {3, 5});
  EXPECT_TRUE(masked.ids.is_meta() && masked.weights.is_meta());
  const Tensor logits = torch::zeros({2, 10, 11}).to(torch::kMeta).requires_grad_();
  const Tensor loss = masked_cross_entropy(logits, targets, masked.weights, 0.1).mean();
  EXPECT_TRUE(loss.is_meta());
  EXPECT_NO_THROW(loss.backward());
}

TEST(AnyDevice, NoImagesOfNoIdsAreOnTheirs) {
  const TokenizerConfig config{8, {1, 2}, 1, 8, 32, 16, 4};
  const Tensor none = torch::empty({0, 64}, torch::kInt64).to(torch::kMeta);
  EXPECT_TRUE(decode_ids(config, on_meta(init_tokenizer(config, 1)), none).is_meta());
}

}  // namespace
}  // namespace marquee::workers
