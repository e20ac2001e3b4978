// An image of the masked model does not depend on the images decoded beside it.
#include <gtest/gtest.h>

#include "workers/models/decode.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

// The mini base, and MaskGIT-256 with two of its layers.
const TransformerConfig kMini{192, 6, 6, 768, 1024, 102, 8};
const TransformerConfig kWide{768, 2, 16, 3072, 1024, 1000, 16};
constexpr std::uint64_t kFirstImage = 70;

class DecodeBatch : public testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }
  void TearDown() override { at::set_num_threads(threads_); }
  int threads_ = at::get_num_threads();
};

// Everything that decoding images first..first+labels-1 computes, step by step.
std::vector<DecodeStep> decoded(const TransformerConfig& config, const ParameterMap& weights,
                                const Tensor& prompts, std::uint64_t first) {
  const torch::InferenceMode inference;
  DecodeOptions options;
  options.steps = 4;
  std::vector<DecodeStep> steps;
  decode_tokens(
      options, torch::full({prompts.size(0), config.positions()}, -1, torch::kInt64),
      [&](const Tensor& ids, std::int64_t) {
        return prompted_logits(config, weights, ids, prompts);
      },
      [&](std::int64_t step) {
        return philox_noise(3, first, prompts.size(0), step, config.positions(), config.codebook);
      },
      [&](const DecodeStep& step) { steps.push_back(step); });
  return steps;
}

void expect_same_image(const std::vector<DecodeStep>& a, std::int64_t row_of_a,
                       const std::vector<DecodeStep>& b, std::int64_t row_of_b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(torch::equal(a[i].sampled_ids[row_of_a], b[i].sampled_ids[row_of_b])) << i;
    // Bits of the logits, not only the ids that they lead to.
    EXPECT_TRUE(torch::equal(a[i].confidence[row_of_a], b[i].confidence[row_of_b])) << i;
    EXPECT_TRUE(torch::equal(a[i].mask[row_of_a], b[i].mask[row_of_b])) << i;
  }
}

TEST_F(DecodeBatch, ImageHasTheSameBitsAloneAndAmongOthers) {
  for (const TransformerConfig& config : {kMini, kWide}) {
    const PromptConfig generator{10, 8, config.width};
    const ParameterMap weights = init_transformer(config, 1);
    const torch::InferenceMode inference;
    const Tensor prompts =
        prompt_tokens(generator, init_prompt_generator(generator, 2), torch::arange(5));
    const std::vector<DecodeStep> all = decoded(config, weights, prompts, kFirstImage);
    for (const std::int64_t row : {0, 3}) {
      SCOPED_TRACE("width " + std::to_string(config.width) + " row " + std::to_string(row));
      const std::uint64_t image = kFirstImage + static_cast<std::uint64_t>(row);
      expect_same_image(all, row, decoded(config, weights, prompts.narrow(0, row, 1), image), 0);
      // Among others, in another row.
      const Tensor others = at::cat({prompts.narrow(0, row, 1), prompts.narrow(0, 1, 2)});
      expect_same_image(all, row, decoded(config, weights, others, image), 0);
    }
  }
}

}  // namespace
}  // namespace marquee::workers
