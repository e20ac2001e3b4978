#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/models/adamw.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::mean_std_absmax;
using fixtures::ReferenceFile;

constexpr const char* kTiny = "models/tiny_transformer.h5";
constexpr const char* kFull = "models/fullsize_transformer.h5";
// The method's; the full-size file gives it only in the description of its loss.
constexpr double kFullSizeSmoothing = 0.1;

TransformerConfig config_of(const ReferenceFile& reference) {
  return {reference.config_int("D"),     reference.config_int("L"), reference.config_int("H"),
          reference.config_int("M"),     reference.config_int("K"), reference.config_int("classes"),
          reference.config_int("latent")};
}

PromptConfig prompt_config_of(const ParameterMap& weights) {
  const Tensor& classes = weights.at("prompt_embeddings/embedding");
  const auto mapping = weights.find("prompt_embedding_hidden_mapping/kernel");
  return {classes.size(0), weights.at("prompt_position_embeddings/embedding").size(0),
          classes.size(1), mapping == weights.end() ? 0 : mapping->second.size(1)};
}

struct Evaluation {
  Tensor loss;
  ParameterMap gradients;
};

// One batch through base, prompts, loss and backward; `trained` are leaves.
Evaluation evaluate(const TransformerConfig& config, const ParameterMap& base,
                    ParameterMap& trained, const Tensor& labels, const Tensor& ids,
                    const Tensor& targets, const Tensor& weights, double smoothing) {
  for (auto& [name, leaf] : trained) leaf.mutable_grad() = Tensor();
  const Tensor prompts = prompt_tokens(prompt_config_of(trained), trained, labels);
  const Tensor logits = prompted_logits(config, base, ids, prompts);
  Evaluation result{masked_cross_entropy(logits, targets, weights, smoothing).mean(), {}};
  result.loss.backward();
  for (const auto& [name, leaf] : trained) result.gradients[name] = leaf.grad().clone();
  return result;
}

class TinyTransformer : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kTiny);
    reference_.emplace(kTiny);
    config_ = config_of(*reference_);
    base_ = reference_->weights();
  }
  const ReferenceFile& reference() const { return *reference_; }
  // "S1", "S4", ... of a group.
  std::vector<std::string> lengths(const std::string& group) const {
    std::vector<std::string> names;
    for (const std::string& name : reference().file().children(group)) {
      if (name.starts_with("S") && reference().file().is_group(group + "/" + name))
        names.push_back(name);
    }
    return names;
  }

  std::optional<ReferenceFile> reference_;
  TransformerConfig config_;
  ParameterMap base_;
};

using TransformerGolden = TinyTransformer;

TEST_F(TransformerGolden, HasTheTensorsOfTheReference) {
  EXPECT_NO_THROW(check_parameters(base_, transformer_shapes(config_), kTiny));
  for (const std::string& length : lengths("prompt")) {
    const ParameterMap prompt = reference().weights(length + ":");
    EXPECT_NO_THROW(check_parameters(prompt, prompt_shapes(prompt_config_of(prompt)), length));
  }
}

TEST_F(TransformerGolden, BaseForwardMatchesLayerByLayer) {
  const Tensor ids = reference().read_ids("base/input_ids");
  const Tensor embedding = embed_tokens(config_, base_, ids);
  expect_close(embedding, reference().read("base/embedding"), 2e-5, 0, "embedding");
  std::size_t compared = 0;
  transform(config_, base_, embedding, [&](const std::string& name, const Tensor& output) {
    // "TransformerLayer_2/Attention_0/self_attention" -> "base/layer2/self_attention".
    const std::size_t slash = name.find('/');
    const std::string layer =
        "base/layer" + name.substr(std::string("TransformerLayer_").size(),
                                   slash - std::string("TransformerLayer_").size());
    const std::string part = slash == std::string::npos          ? "/output"
                             : name.ends_with("/self_attention") ? "/self_attention"
                                                                 : "/attention";
    if (!reference().has(layer + part)) return;
    expect_close(output, reference().read(layer + part), 2e-5, 0, layer + part);
    ++compared;
  });
  EXPECT_GE(compared, static_cast<std::size_t>(2 * config_.layers));
  expect_close(base_logits(config_, base_, ids), reference().read("base/logits"), 2e-5, 0,
               "logits");
}

TEST_F(TransformerGolden, PromptsAndLogitsMatchForEveryLength) {
  const Tensor labels = reference().read_ids("prompt/labels");
  const Tensor ids = reference().read_ids("prompt/input_indices");
  ASSERT_FALSE(lengths("prompt").empty());
  for (const std::string& length : lengths("prompt")) {
    const std::string at = "prompt/" + length + "/";
    const ParameterMap prompt = reference().weights(length + ":");
    const Tensor prompts = prompt_tokens(prompt_config_of(prompt), prompt, labels);
    expect_close(prompts, reference().read(at + "generator_output"), 2e-5, 0,
                 at + "generator_output");
    const Tensor all = token_logits(config_, base_, prompted_hidden(config_, base_, ids, prompts),
                                    config_.vocabulary());
    expect_close(all, reference().read(at + "logits"), 2e-5, 0, at + "logits");
    expect_close(prompted_logits(config_, base_, ids, prompts), reference().read(at + "logits_cut"),
                 2e-5, 0, at + "logits_cut");
  }
}

TEST_F(TransformerGolden, HiddenMappingMatches) {
  if (!reference().has("prompt_hidden")) GTEST_SKIP() << "no prompt_hidden in " << kTiny;
  for (const std::string& length : lengths("prompt_hidden")) {
    const ParameterMap prompt = reference().weights("hidden " + length + ":");
    const Tensor prompts =
        prompt_tokens(prompt_config_of(prompt), prompt, reference().read_ids("prompt/labels"));
    expect_close(prompts, reference().read("prompt_hidden/" + length + "/generator_output"), 2e-5,
                 0, length);
  }
}

TEST_F(TransformerGolden, LossesAndGradientsMatchForEveryLength) {
  struct Variant {
    const char* suffix;
    const char* weights;
    double smoothing;
  };
  const double smoothing = reference().file().double_attribute("prompt", "label_smoothing");
  const Variant variants[] = {{"", "prompt/weights", smoothing},
                              {"_smoothing0", "prompt/weights", 0.0},
                              {"_unequal", "prompt/weights_unequal", smoothing}};
  ASSERT_FALSE(lengths("prompt").empty());
  for (const std::string& length : lengths("prompt")) {
    ParameterMap trained = trainable_copy(reference().weights(length + ":"));
    for (const Variant& variant : variants) {
      const Evaluation result =
          evaluate(config_, base_, trained, reference().read_ids("prompt/labels"),
                   reference().read_ids("prompt/input_indices"),
                   reference().read_ids("prompt/output_indices"), reference().read(variant.weights),
                   variant.smoothing);
      const std::string at = "prompt/" + length + "/";
      EXPECT_NEAR(result.loss.item<double>(), reference().read_number(at + "loss" + variant.suffix),
                  5e-6)
          << at << variant.suffix;
      for (const auto& [name, gradient] : result.gradients) {
        const std::string stored = at + "grad" + variant.suffix + "/" + name;
        expect_close(gradient, reference().read(stored), 5e-6, 1e-4, stored);
      }
    }
  }
}

TEST_F(TransformerGolden, TrainingStepsMatchParametersAndMoments) {
  const auto attribute = [&](const char* name) {
    return reference().file().double_attribute("train", name);
  };
  const AdamWOptions options{attribute("b1"), attribute("b2"), attribute("eps"),
                             attribute("weight_decay")};
  const auto total = static_cast<std::int64_t>(attribute("total_steps"));
  const auto warmup = static_cast<std::int64_t>(attribute("warmup_steps"));
  const Tensor ids = reference().read_ids("train/input_indices");
  const Tensor targets = reference().read_ids("train/output_indices");
  const Tensor weights = reference().read("train/weights");
  ASSERT_FALSE(lengths("train").empty());
  for (const std::string& length : lengths("train")) {
    const std::string at = "train/" + length + "/";
    ParameterMap trained = trainable_copy(reference().weights(length + ":"));
    AdamWState state = init_adamw(trained);
    const Tensor losses = reference().read(at + "loss"), rates = reference().read(at + "lr");
    for (std::int64_t step = 0; step < ids.size(0); ++step) {
      const Evaluation result =
          evaluate(config_, base_, trained, reference().read_ids("prompt/labels"), ids[step],
                   targets[step], weights[step], attribute("label_smoothing"));
      const double rate = cosine_rate(attribute("peak_lr"), step, total, warmup);
      EXPECT_NEAR(result.loss.item<double>(), losses[step].item<double>(), 5e-6) << at << step;
      EXPECT_NEAR(rate, rates[step].item<double>(), 1e-9) << at << step;
      adamw_step(trained, result.gradients, state, rate, options);
      for (const auto& [name, value] : trained) {
        const std::string stored = at + "params/" + name;
        expect_close(value, reference().read(stored)[step], 5e-6, 0,
                     stored + " after step " + std::to_string(step));
      }
    }
    for (const auto& [name, value] : state.mu) {
      expect_close(value, reference().read(at + "mu/" + name), 2e-6, 0, at + "mu/" + name);
    }
    for (const auto& [name, value] : state.nu) {
      expect_close(value, reference().read(at + "nu/" + name), 2e-6, 0, at + "nu/" + name);
    }
  }
}

TEST(TransformerFullSizeGolden, BaseMatchesTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kFull);
  const torch::InferenceMode inference;
  const ReferenceFile reference(kFull);
  const TransformerConfig config = config_of(reference);
  const ParameterMap base = reference.weights();
  const Tensor ids = reference.read_ids("base/input_ids");
  const Tensor embedding = embed_tokens(config, base, ids);
  expect_close(reference.strided("base/embedding_sub", embedding),
               reference.read("base/embedding_sub"), 5e-5, 0, "embedding");
  std::vector<Tensor> layers;
  const Tensor hidden =
      transform(config, base, embedding, [&](const std::string& name, const Tensor& output) {
        if (name.find('/') == std::string::npos) layers.push_back(output);
      });
  expect_close(reference.strided("base/layers_sub", torch::stack(layers)),
               reference.read("base/layers_sub"), 5e-5, 0, "layers_sub");
  std::vector<Tensor> stats;
  for (const Tensor& layer : layers) stats.push_back(mean_std_absmax(layer));
  expect_close(torch::stack(stats), reference.read("base/layers_stats"), 5e-5, 0, "layers_stats");
  const Tensor logits = token_logits(config, base, hidden, config.vocabulary());
  expect_close(reference.strided("base/logits_sub", logits), reference.read("base/logits_sub"),
               1e-4, 0, "logits");
  expect_close(mean_std_absmax(logits), reference.read("base/logits_stats"), 1e-4, 0,
               "logits_stats");
  const auto [best, index] = logits.narrow(-1, 0, config.codebook).topk(2, -1);
  expect_close(best.select(-1, 0) - best.select(-1, 1), reference.read("base/argmax_margin"), 2e-4,
               0, "argmax_margin");
  expect_equal(index.select(-1, 0), reference.read_ids("base/argmax"), "argmax");
}

TEST(TransformerFullSizeGolden, PromptLossAndGradientsMatchTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kFull);
  const ReferenceFile reference(kFull);
  const TransformerConfig config = config_of(reference);
  const ParameterMap base = reference.weights();
  ASSERT_FALSE(reference.file().children("prompt").empty());
  for (const std::string& length : reference.file().children("prompt")) {
    const std::string at = "prompt/" + length + "/";
    ParameterMap trained = trainable_copy(reference.weights("prompt:"));
    const Tensor labels = reference.read_ids(at + "labels"),
                 ids = reference.read_ids(at + "input_ids");
    {
      const torch::NoGradGuard no_grad;
      const Tensor prompts = prompt_tokens(prompt_config_of(trained), trained, labels);
      const Tensor logits = prompted_logits(config, base, ids, prompts);
      expect_close(reference.strided(at + "logits_cut_sub", logits),
                   reference.read(at + "logits_cut_sub"), 1e-4, 0, at + "logits_cut_sub");
      expect_close(mean_std_absmax(logits), reference.read(at + "logits_cut_stats"), 1e-4, 0,
                   at + "logits_cut_stats");
    }
    const Evaluation result =
        evaluate(config, base, trained, labels, ids, reference.read_ids(at + "targets"),
                 reference.read(at + "weights"), kFullSizeSmoothing);
    EXPECT_NEAR(result.loss.item<double>(), reference.read_number(at + "loss"), 2e-5);
    for (const auto& [name, gradient] : result.gradients) {
      const double norm = reference.read_number(at + "grad_norm/" + name);
      EXPECT_NEAR(gradient.norm().item<double>(), norm, 1e-4 * norm) << name;
      const std::string stored = at + "grad/" + name;
      Tensor part = gradient;
      if (name == "prompt_embeddings/embedding") part = gradient.index_select(0, labels);
      if (reference.file().has_attribute(stored, "stride")) part = reference.strided(stored, part);
      expect_close(part, reference.read(stored), 2e-6, 0, stored);
    }
  }
}

}  // namespace
}  // namespace marquee::workers
