// The autoregressive transformer and its decoding, beyond what the golden files hold.
#include <gtest/gtest.h>

#include "cluster/error.h"
#include "tests/workers/finite_differences.h"
#include "tests/workers/tiny_base.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

Tensor random_ids(const std::vector<std::int64_t>& shape, std::int64_t below, std::uint64_t seed) {
  PhiloxStream stream(seed, cluster::Purpose::oracle);
  return (uniform_tensor(stream, shape) * static_cast<double>(below)).floor().to(torch::kInt64);
}

struct Model {
  explicit Model(const GptConfig& sizes)
      : config(sizes), weights(random_weights(gpt_shapes(sizes), 3, 0.1F)) {}
  Tensor prompts(std::int64_t batch, std::int64_t length) const {
    PhiloxStream stream(5, cluster::Purpose::init);
    return normal_tensor(stream, {batch, length, config.width}) * 0.5;
  }
  GptConfig config;
  ParameterMap weights;
};

// Sizes whose heads, grids and depths differ.
std::vector<GptConfig> sizes() {
  return {
      {16, 1, 1, 32, 20, 16, 5, 4}, {48, 3, 4, 96, 64, 40, 10, 6}, {96, 6, 6, 384, 256, 64, 9, 8}};
}

TEST(KeyValueCache, GivesTheLogitsAndIdsOfFullRecomputation) {
  const torch::InferenceMode inference;
  constexpr std::int64_t kBatch = 3;
  constexpr double kTolerance = 1e-5, kMargin = 1e-4;
  for (const GptConfig& config : sizes()) {
    const Model model(config);
    for (const std::int64_t length : {1, 7}) {
      const Tensor prefix = model.prompts(kBatch, length);
      // Decoded freely with the cache, then every step computed anew from its own tokens.
      const Tensor none = torch::empty({kBatch, 0}, torch::kInt64);
      const Tensor uniform = philox_uniform(1, 0, kBatch, config.tokens());
      std::vector<Tensor> cached;
      const Tensor tokens = decode_sequence(
          {}, none, uniform, cached_logits(config, model.weights, prefix, config.tokens()),
          [&](const SequenceStep& step) { cached.push_back(step.logits); });
      const Tensor whole = gpt_token_logits(config, model.weights, prefix, tokens);
      std::int64_t step = 0;
      const Tensor again = decode_sequence({}, none, uniform,
                                           [&](const Tensor&) { return whole.select(1, step++); });
      for (std::int64_t i = 0; i < config.tokens(); ++i) {
        const Tensor difference =
            (cached[static_cast<std::size_t>(i)] - whole.select(1, i)).abs().max();
        EXPECT_LT(difference.item<double>(), kTolerance) << "step " << i;
        // How far the number that decides is from both ends of the chosen id's share.
        const Tensor sums = whole.select(1, i).softmax(1).to(torch::kFloat64).cumsum(1);
        const Tensor margin = (sums - uniform[i].unsqueeze(1)).abs().amin(1);
        const Tensor safe = margin > kMargin;
        EXPECT_TRUE(torch::equal(tokens.select(1, i).masked_select(safe),
                                 again.select(1, i).masked_select(safe)))
            << "step " << i;
      }
    }
  }
}

TEST(KeyValueCache, SeveralPositionsBehindAPastSeeOnlyWhatIsBeforeThem) {
  const torch::InferenceMode inference;
  const Model model(sizes()[1]);
  const Tensor embedded =
      gpt_embed(model.config, model.weights, random_ids({2, 12}, model.config.codebook, 1), 0);
  const Tensor whole = gpt_hidden(model.config, model.weights, embedded);
  KeyValueCache cache(model.config, model.weights, 2, 12);
  std::vector<Tensor> parts;
  std::int64_t at = 0;
  for (const std::int64_t count : {5, 1, 4, 2}) {
    parts.push_back(gpt_hidden(model.config, model.weights, embedded.narrow(1, at, count), cache));
    at += count;
  }
  EXPECT_LT((at::cat(parts, 1) - whole).abs().max().item<double>(), 1e-5);
  EXPECT_EQ(cache.length(), 12);
}

TEST(KeyValueCache, RefusesMoreThanItsCapacity) {
  const Model model(sizes()[0]);
  KeyValueCache cache(model.config, model.weights, 1, 2);
  EXPECT_THROW(gpt_hidden(model.config, model.weights, model.prompts(1, 3), cache), cluster::Error);
}

TEST(Gpt, NoTokenSeesALaterOne) {
  const torch::InferenceMode inference;
  const Model model(sizes()[1]);
  const Tensor prefix = model.prompts(1, 3);
  const Tensor tokens = random_ids({1, model.config.tokens()}, model.config.codebook, 2);
  const Tensor before = gpt_token_logits(model.config, model.weights, prefix, tokens);
  const std::int64_t changed = 10;
  Tensor other = tokens.clone();
  other.select(1, changed) = (tokens.select(1, changed) + 1) % model.config.codebook;
  const Tensor after = gpt_token_logits(model.config, model.weights, prefix, other);
  const Tensor moved = (after - before).abs().amax({0, 2}) > 1e-6;
  EXPECT_FALSE(moved.narrow(0, 0, changed + 1).any().item<bool>());
  EXPECT_TRUE(moved.narrow(0, changed + 1, 3).all().item<bool>());
}

TEST(Gpt, TokensKeepTheirPositionsHoweverManyPromptsStandInFront) {
  // 16 tokens need positions 1..15 and a block size of 16, whatever the number of prompts.
  const Model model(sizes()[0]);
  const Tensor tokens = random_ids({1, 16}, model.config.codebook, 2);
  EXPECT_NO_THROW(gpt_token_logits(model.config, model.weights, model.prompts(1, 100), tokens));
}

TEST(Gpt, LossGradientsEqualFiniteDifferences) {
  const Model model({24, 2, 3, 48, 20, 16, 5, 4});
  const Tensor tokens = random_ids({3, 16}, 20, 4);
  for (const double smoothing : {0.0, 0.1}) {
    ParameterMap weights = trainable_copy(converted(model.weights, torch::kFloat64));
    ParameterMap prompts = trainable_copy({{"prompts", model.prompts(3, 5).to(torch::kFloat64)}});
    const auto loss = [&] {
      const Tensor logits = gpt_token_logits(model.config, weights, prompts.at("prompts"), tokens);
      return masked_cross_entropy(logits, tokens, torch::ones(tokens.sizes(), torch::kFloat64),
                                  smoothing)
          .mean();
    };
    ParameterMap all = weights;
    all.insert(prompts.begin(), prompts.end());
    expect_finite_differences(loss, all);
  }
}

TEST(SamplingFilters, TopOneIsTheMostLikely) {
  PhiloxStream stream(2, cluster::Purpose::oracle);
  const Tensor logits = normal_tensor(stream, {6, 40}) * 2;
  const Tensor most = logits.argmax(1);
  for (const SamplingOptions& options :
       {SamplingOptions{1.0, 1, 1.0}, SamplingOptions{1.0, 0, 0.0}, SamplingOptions{0.7, 1, 0.0}}) {
    const Tensor kept = filter_logits(logits, options);
    EXPECT_TRUE(torch::equal(kept.argmax(1), most));
    EXPECT_TRUE(torch::equal(kept.isfinite().sum(1), torch::ones({6}, torch::kInt64)));
  }
}

TEST(SamplingFilters, WithoutLimitsNothingGoes) {
  // In float32 the running sum of this many probabilities exceeds one before the end.
  PhiloxStream stream(2, cluster::Purpose::oracle);
  const Tensor logits = normal_tensor(stream, {2, 16384}) * 4;
  EXPECT_TRUE(filter_logits(logits, {}).isfinite().all().item<bool>());
  EXPECT_TRUE(filter_logits(logits, {1.0, 16384, 1.0}).isfinite().all().item<bool>());
}

TEST(Pick, TakesTheIdWhoseShareHoldsTheNumber) {
  const Tensor shares = torch::tensor({{0.0F, 0.25F, 0.0F, 0.5F, 0.25F, 0.0F}});
  const auto pick_at = [&](double uniform) {
    return pick(shares, torch::full({1}, uniform, torch::kFloat64)).item<std::int64_t>();
  };
  EXPECT_EQ(pick_at(0.0), 1);
  EXPECT_EQ(pick_at(0.2499), 1);
  EXPECT_EQ(pick_at(0.25), 3);
  EXPECT_EQ(pick_at(0.7499), 3);
  EXPECT_EQ(pick_at(0.75), 4);
  // Beyond what the rounded shares add up to: the last that is possible.
  EXPECT_EQ(pick(shares * 0.9, torch::full({1}, 0.95, torch::kFloat64)).item<std::int64_t>(), 4);
}

TEST(Pick, DrawsInProportion) {
  constexpr std::int64_t kDraws = 20000;
  const Tensor shares = torch::tensor({0.1F, 0.2F, 0.3F, 0.4F}).expand({kDraws, 4});
  const Tensor drawn = pick(shares, philox_uniform(7, 0, kDraws, 1)[0]);
  for (std::int64_t id = 0; id < 4; ++id) {
    const double share = (drawn == id).to(torch::kFloat64).mean().item<double>();
    EXPECT_NEAR(share, 0.1 * static_cast<double>(id + 1), 0.015) << id;
  }
}

}  // namespace
}  // namespace marquee::workers
