// How far bfloat16 is off the reference, whose numbers are float32. docs/models.md states what this
// prints; the bounds are twice that.
#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/models/gpt.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

using fixtures::ReferenceFile;

constexpr const char* kFullSizeMasked = "models/fullsize_transformer.h5";
constexpr const char* kAutoregressive = "models_ar/tiny_gpt.h5";

// Of the deviation of the values.
constexpr double kMean = 0.045, kMost = 0.2;

struct Deviation {
  double mean, most, deviation;  // of the difference; standard deviation of the reference
};

Deviation deviation_of(const Tensor& actual, const Tensor& expected) {
  const Tensor wide = expected.to(torch::kFloat64);
  const Tensor difference = (actual.to(torch::kFloat64) - wide).abs();
  return {difference.mean().item<double>(), difference.max().item<double>(),
          wide.std().item<double>()};
}

void report(const char* what, const Deviation& deviation) {
  std::printf("bf16 %s: mean |difference| %.4f, most %.4f, of values with deviation %.3f\n", what,
              deviation.mean, deviation.most, deviation.deviation);
}

TEST(Bfloat16Golden, MaskedLogitsAndLossAtFullSize) {
  MARQUEE_REQUIRE_REFERENCE(kFullSizeMasked);
  const torch::InferenceMode inference;
  const ReferenceFile reference(kFullSizeMasked);
  const TransformerConfig config{reference.config_int("D"),     reference.config_int("L"),
                                 reference.config_int("H"),     reference.config_int("M"),
                                 reference.config_int("K"),     reference.config_int("classes"),
                                 reference.config_int("latent")};
  const ParameterMap base = converted(reference.weights(), torch::kBFloat16);
  const Tensor logits = base_logits(config, base, reference.read_ids("base/input_ids"));
  const Deviation deviation =
      deviation_of(reference.strided("base/logits_sub", logits), reference.read("base/logits_sub"));
  report("logits, masked, full size", deviation);
  EXPECT_LT(deviation.mean, kMean * deviation.deviation);
  EXPECT_LT(deviation.most, kMost * deviation.deviation);
  const Tensor best = logits.narrow(-1, 0, config.codebook).argmax(-1);
  const double same =
      (best == reference.read_ids("base/argmax")).to(torch::kFloat64).mean().item<double>();
  std::printf("bf16 most likely code, masked, full size: the same in %.1f %%\n", 100 * same);
  EXPECT_GT(same, 0.95);

  const ParameterMap prompt = reference.weights("prompt:");
  const PromptConfig generator{prompt.at("prompt_embeddings/embedding").size(0),
                               prompt.at("prompt_position_embeddings/embedding").size(0),
                               config.width};
  for (const std::string& length : reference.file().children("prompt")) {
    const std::string at = "prompt/" + length + "/";
    const Tensor prompts =
        prompt_tokens(generator, prompt, reference.read_ids(at + "labels")).to(torch::kBFloat16);
    const Tensor cut = prompted_logits(config, base, reference.read_ids(at + "input_ids"), prompts);
    constexpr double kSmoothing = 0.1;
    const double loss = masked_cross_entropy(cut, reference.read_ids(at + "targets"),
                                             reference.read(at + "weights"), kSmoothing)
                            .mean()
                            .item<double>();
    const double expected = reference.read_number(at + "loss");
    std::printf("bf16 loss, masked, full size, %s: %.5f, fp32 %.5f\n", length.c_str(), loss,
                expected);
    EXPECT_NEAR(loss, expected, 0.005 * expected);
  }
}

TEST(Bfloat16Golden, AutoregressiveLogits) {
  MARQUEE_REQUIRE_REFERENCE(kAutoregressive);
  const torch::InferenceMode inference;
  const ReferenceFile reference(kAutoregressive);
  const auto size = [&](const char* name) { return reference.file().int_attribute("", name); };
  GptConfig config;
  config.width = size("n_embd");
  config.layers = size("n_layer");
  config.heads = size("n_head");
  config.mlp = size("mlp");
  config.codebook = size("vocab_size");
  config.block_size = size("block_size");
  const ParameterMap weights = converted(reference.weights(), torch::kBFloat16);
  const Tensor embedding = gpt_embed(config, weights, reference.read_ids("base/input_ids"), 0);
  const Deviation whole = deviation_of(gpt_logits(weights, gpt_hidden(config, weights, embedding)),
                                       reference.read("base/logits"));
  report("logits, autoregressive, small", whole);
  EXPECT_LT(whole.mean, kMean * whole.deviation);
  EXPECT_LT(whole.most, kMost * whole.deviation);
  KeyValueCache cache(config, weights, embedding.size(0), embedding.size(1));
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < embedding.size(1); ++i)
    rows.push_back(
        gpt_logits(weights, gpt_hidden(config, weights, embedding.narrow(1, i, 1), cache)));
  const Deviation cached = deviation_of(at::cat(rows, 1), reference.read("cache/logits"));
  report("logits with cache, autoregressive, small", cached);
  EXPECT_LT(cached.most, kMost * cached.deviation);
}

}  // namespace
}  // namespace marquee::workers
