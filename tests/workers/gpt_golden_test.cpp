#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kTinyGpt = "models_ar/tiny_gpt.h5";
constexpr double kGptLogits = 4e-5, kLoss = 5e-6, kGradient = 2e-6, kGradientRelative = 1e-4,
                 kProbability = 1e-5;

class GptGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kTinyGpt);
    reference_.emplace(kTinyGpt);
    const auto size = [&](const char* name) { return reference_->file().int_attribute("", name); };
    const auto side =
        static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(size("n_tokens")))));
    ASSERT_EQ(side * side, size("n_tokens"));
    config_ = {size("n_embd"),     size("n_layer"),    size("n_head"),    size("mlp"),
               size("vocab_size"), size("block_size"), size("n_classes"), side};
    weights_ = reference_->weights();
    check_parameters(weights_, gpt_shapes(config_), kTinyGpt);
  }
  Tensor read(const std::string& name) const { return reference_->read(name); }
  Tensor ids(const std::string& name) const { return reference_->read_ids(name); }
  bool has(const std::string& name) const { return reference_->has(name); }
  const Hdf5File& file() const { return reference_->file(); }

  std::optional<ReferenceFile> reference_;
  GptConfig config_;
  ParameterMap weights_;
};

// Mean cross-entropy over the tokens, as the method's loss computes it.
Tensor token_loss(const Tensor& logits, const Tensor& targets) {
  return masked_cross_entropy(logits, targets, torch::ones(targets.sizes()), 0.0).mean();
}

TEST_F(GptGolden, EveryStageMatches) {
  const Tensor embedding = gpt_embed(config_, weights_, ids("base/input_ids"), 0);
  expect_close(embedding, read("base/embedding"), kGptLogits, 0, "embedding");
  // Module names to those of the file: "blocks.0.attn.query" -> "layer0/query".
  const auto stored_name = [](std::string name) {
    if (!name.starts_with("blocks.")) return "base/" + name;
    name = name.substr(std::string("blocks.").size());
    const std::size_t dot = name.find('.');
    const std::string layer = "base/layer" + name.substr(0, dot) + "/";
    if (dot == std::string::npos) return layer + "output";
    const std::string part = name.substr(dot + 1);
    return layer + (part == "attn"         ? "attention"
                    : part == "attn.query" ? "query"
                    : part == "mlp.1"      ? "gelu"
                                           : part);
  };
  std::set<std::string> compared;
  const Tensor hidden =
      gpt_hidden(config_, weights_, embedding, [&](const std::string& name, const Tensor& output) {
        const std::string stored = stored_name(name);
        if (!has(stored)) return;
        expect_close(output, read(stored), kGptLogits, 0, stored);
        compared.insert(stored);
      });
  for (const std::string& layer : file().children("base")) {
    if (!layer.starts_with("layer")) continue;
    for (const std::string& part : file().children("base/" + layer))
      EXPECT_TRUE(compared.contains("base/" + layer + "/" + part)) << layer << "/" << part;
  }
  EXPECT_TRUE(compared.contains("base/ln_f"));
  expect_close(gpt_logits(weights_, hidden), read("base/logits"), kGptLogits, 0, "logits");
}

TEST_F(GptGolden, LossAndItsGradientsMatch) {
  ParameterMap trained = trainable_copy(weights_);
  const Tensor tokens = ids("tokens");
  const Tensor fed = ids("base/input_ids");
  expect_equal(ids("base/targets"), tokens, "targets");
  expect_equal(fed.select(1, 0), ids("class"), "class");
  const Tensor logits = gpt_token_logits(
      config_, trained, gpt_embed(config_, trained, fed.narrow(1, 0, 1), 0), tokens);
  expect_close(logits, read("base/logits"), kGptLogits, 0, "logits");
  const Tensor rows =
      at::cross_entropy_loss(logits.transpose(1, 2), tokens, {}, at::Reduction::None);
  expect_close(rows, read("base/loss_per_token"), kLoss, 0, "loss_per_token");
  const Tensor loss = token_loss(logits, tokens);
  EXPECT_NEAR(loss.item<double>(), reference_->read_number("base/loss"), kLoss);
  loss.backward();
  for (const std::string& name : file().children("base/grad")) {
    expect_close(trained.at(name).grad(), read("base/grad/" + name), kGradient, kGradientRelative,
                 name);
  }
  const auto norms = nlohmann::json::parse(file().string_attribute("base", "grad_norms"));
  EXPECT_EQ(norms.size(), trained.size());
  for (const auto& [name, norm] : norms.items()) {
    EXPECT_NEAR(trained.at(name).grad().norm().item<double>(), norm.get<double>(),
                kGradient + kGradientRelative * norm.get<double>())
        << name;
  }
}

TEST_F(GptGolden, OnlyTheClassFed) {
  const Tensor embedding = gpt_embed(config_, weights_, ids("class").unsqueeze(1), 0);
  expect_close(gpt_logits(weights_, gpt_hidden(config_, weights_, embedding)),
               read("single/logits"), kGptLogits, 0, "single/logits");
}

TEST_F(GptGolden, CacheMatchesTokenByToken) {
  const torch::InferenceMode inference;
  const Tensor fed = ids("base/input_ids");
  KeyValueCache cache(config_, weights_, fed.size(0), fed.size(1));
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < fed.size(1); ++i) {
    const Tensor embedding = gpt_embed(config_, weights_, fed.narrow(1, i, 1), i);
    rows.push_back(gpt_logits(weights_, gpt_hidden(config_, weights_, embedding, cache)));
  }
  expect_close(at::cat(rows, 1), read("cache/logits"), kGptLogits, 0, "cache/logits");
  std::vector<Tensor> stored;
  for (std::int64_t layer = 0; layer < config_.layers; ++layer)
    stored.push_back(at::stack({cache.keys(layer), cache.values(layer)}));
  expect_close(at::stack(stored), read("cache/keys_values"), kGptLogits, 0, "cache/keys_values");
}

TEST_F(GptGolden, PositionsThatSeeEachOtherBothWays) {
  if (!has("n_unmasked/logits")) GTEST_SKIP() << "no n_unmasked in " << kTinyGpt;
  GptConfig config = config_;
  config.unmasked = file().int_attribute("n_unmasked", "n_unmasked");
  const Tensor fed = ids("base/input_ids");
  const Tensor embedding = gpt_embed(config, weights_, fed, 0);
  expect_close(gpt_logits(weights_, gpt_hidden(config, weights_, embedding)),
               read("n_unmasked/logits"), kGptLogits, 0, "n_unmasked/logits");
  // Which rows see which columns: a change of a column moves exactly the rows that see it.
  const Tensor mask = read("n_unmasked/mask");
  const Tensor before = gpt_hidden(config, weights_, embedding);
  for (std::int64_t column = 0; column < fed.size(1); ++column) {
    Tensor other = embedding.clone();
    other.select(1, column).neg_();
    const Tensor moved =
        (gpt_hidden(config, weights_, other) - before).abs().amax({0, 2}) > kGptLogits;
    expect_equal(moved.to(torch::kFloat32),
                 mask.select(1, column).narrow(0, 0, fed.size(1)).to(torch::kFloat32),
                 "column " + std::to_string(column));
  }
}

// Every arrangement of prompts in the file: with the official positions of all, or ours.
TEST_F(GptGolden, PromptsOfEveryLengthAndArrangement) {
  const Tensor tokens = ids("tokens");
  ASSERT_FALSE(file().children("prompt").empty());
  for (const std::string& length : file().children("prompt")) {
    const std::string group = "prompt/" + length;
    for (const std::string& arrangement : file().children(group)) {
      const std::string at = group + "/" + arrangement;
      if (!file().is_group(at)) continue;
      const auto number = [&](const char* name) { return file().int_attribute(at, name); };
      Tensor prompts = read(group + "/prompts").requires_grad_();
      const bool with_class = number("class_fed") == 1;
      const Tensor label = ids("class").unsqueeze(1), fed = tokens.narrow(1, 0, tokens.size(1) - 1);
      Tensor hidden;
      if (number("prompts_get_positions") == 1) {
        const std::int64_t count = prompts.size(1), first = number("first_position_of_ids");
        ASSERT_EQ(first, count);
        const Tensor placed = prompts + weights_.at("pos_emb").narrow(1, 0, count);
        const Tensor all = with_class ? at::cat({label, fed}, 1) : fed;
        hidden = gpt_hidden(config_, weights_,
                            at::cat({placed, gpt_embed(config_, weights_, all, first)}, 1));
      } else {
        const Tensor prefix =
            with_class ? at::cat({prompts, gpt_embed(config_, weights_, label, 0)}, 1) : prompts;
        hidden = gpt_hidden(config_, weights_,
                            at::cat({prefix, gpt_embed(config_, weights_, fed, 1)}, 1));
        // What production computes: the rows that predict tokens alone.
        expect_close(gpt_token_logits(config_, weights_, prefix, tokens),
                     read(at + "/logits").narrow(1, number("cut"), tokens.size(1)), kGptLogits, 0,
                     at + " cut");
      }
      const Tensor logits = gpt_logits(weights_, hidden);
      expect_close(logits, read(at + "/logits"), kGptLogits, 0, at + "/logits");
      const Tensor loss = token_loss(logits.narrow(1, number("cut"), tokens.size(1)), tokens);
      EXPECT_NEAR(loss.item<double>(), reference_->read_number(at + "/loss"), kLoss) << at;
      loss.backward();
      expect_close(prompts.grad(), read(at + "/grad_prompts"), kGradient, kGradientRelative,
                   at + "/grad_prompts");
    }
  }
}

// The official cached forward behind prompts that take positions; ours take none, so the sequence
// is put together here.
TEST_F(GptGolden, DecodingBehindPrompts) {
  if (!has("prompt_sampling")) GTEST_SKIP() << "no prompt_sampling in " << kTinyGpt;
  const torch::InferenceMode inference;
  for (const std::string& run : file().children("prompt_sampling")) {
    const std::string at = "prompt_sampling/" + run;
    const Tensor prompts = read(file().string_attribute(at, "prompts"));
    const Tensor logits = read(at + "/logits"), probabilities = read(at + "/probabilities");
    const std::int64_t count = prompts.size(1), steps = logits.size(0);
    const Tensor front = prompts + weights_.at("pos_emb").narrow(1, 0, count);
    KeyValueCache cache(config_, weights_, prompts.size(0), count + steps);
    const bool greedy = !has(at + "/uniform");
    SamplingOptions options;
    if (greedy) options.temperature = 0;
    const Tensor uniform =
        greedy ? torch::zeros({steps, prompts.size(0)}, torch::kFloat64) : read(at + "/uniform");
    const Tensor result = decode_sequence(
        options, torch::empty({prompts.size(0), 0}, torch::kInt64), uniform,
        [&](const Tensor& now) {
          const Tensor fed = now.size(1) == 0
                                 ? front
                                 : gpt_embed(config_, weights_, now.narrow(1, now.size(1) - 1, 1),
                                             count + now.size(1) - 1);
          const Tensor hidden = gpt_hidden(config_, weights_, fed, cache);
          return gpt_logits(weights_, hidden.select(1, hidden.size(1) - 1));
        },
        [&](const SequenceStep& step) {
          expect_close(step.logits, logits[step.step], kGptLogits, 0, at);
          expect_close(step.probabilities, probabilities[step.step], kProbability, 0, at);
        });
    expect_equal(result, ids(at + "/ids"), at + "/ids");
  }
}

}  // namespace
}  // namespace marquee::workers
