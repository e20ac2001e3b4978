// Methods on a masked transformer.
#include "cluster/error.h"
#include "workers/models/decode.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/random.h"
#include "workers/tuning/family_adapters.h"

namespace marquee::workers {
namespace {

constexpr const char* kWords = "Embed_0/word_embeddings/embedding";
constexpr const char* kWordBias = "MlmLayer_0/mlm_bias/bias";

Tensor with_class_slot(const Tensor& slot, const Tensor& ids) {
  return at::cat({slot.unsqueeze(1), ids}, 1);
}

// What all methods share: masked batches and iterative decoding.
class MaskedAdapter : public Adapter {
 public:
  MaskedAdapter(const TransformerConfig& config, torch::ScalarType compute)
      : config_(config), compute_(compute) {}

  bool masks() const override { return true; }
  Tensor sample_tokens(const experiments::RunConfig& run, const Tensor& labels,
                       std::uint64_t first) const override {
    const torch::InferenceMode inference;
    DecodeOptions options;
    options.steps = run.decode_steps;
    options.choice_temperature = static_cast<float>(run.choice_temperature);
    options.schedule = parse_mask_schedule(run.mask_schedule);
    const Logits logits = logits_for(labels);
    const Tensor ids = decode_tokens(
        options, initial_ids(labels),
        [&](const Tensor& now, std::int64_t) { return logits(now).to(torch::kFloat32); },
        [&](std::int64_t step) {
          return philox_noise(run.seed, first, labels.size(0), step, config_.positions(),
                              config_.codebook);
        });
    return ids.narrow(1, 1, config_.tokens());
  }

 protected:
  // ids int64 [B, 1+N] -> logits [B, 1+N, K].
  using Logits = std::function<Tensor(const Tensor& ids)>;
  virtual Logits logits_for(const Tensor& labels) const = 0;
  // Ids that decoding starts from, int64 [B, 1+N], -1 for unknown. With prompts the class slot is
  // unknown too and counts among the unknown, as in the official sampler; else it holds the class.
  virtual Tensor initial_ids(const Tensor& labels) const = 0;

  TransformerConfig config_;
  torch::ScalarType compute_;
};

// The generator is trained, the base frozen.
class PromptAdapter : public MaskedAdapter {
 public:
  PromptAdapter(const experiments::RunConfig& run, const TransformerConfig& config,
                const ParameterMap& weights, int classes)
      : MaskedAdapter(config, compute_type(run)),
        weights_(converted(weights, compute_)),
        generator_{classes, run.prompt_length, config.width},
        trained_(trainable_copy(init_prompt_generator(generator_, run.seed))) {}

  ParameterMap& trained() override { return trained_; }
  std::pair<std::int64_t, std::int64_t> dropout_shape() const override {
    return {generator_.length, generator_.width};
  }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    const Tensor prompts = prompt_tokens(generator_, trained_, batch.labels, batch.dropout);
    // The class slot has no part in the prompted sequence; its id is never looked at.
    const Tensor ids = with_class_slot(torch::full_like(batch.labels, -1), batch.ids);
    const Tensor hidden = prompted_hidden(config_, weights_, ids, prompts.to(compute_))
                              .narrow(1, generator_.length, config_.tokens());
    return masked_cross_entropy(token_logits(config_, weights_, hidden, config_.codebook),
                                batch.targets, batch.weights, label_smoothing);
  }
  std::string class_rule() const override { return "prompt of the class"; }

 protected:
  Tensor initial_ids(const Tensor& labels) const override {
    return torch::full({labels.size(0), config_.positions()}, -1, torch::kInt64);
  }
  Logits logits_for(const Tensor& labels) const override {
    return [this, prompts = prompt_tokens(generator_, trained_, labels).to(compute_)](
               const Tensor& ids) { return prompted_logits(config_, weights_, ids, prompts); };
  }

 private:
  ParameterMap weights_;
  PromptConfig generator_;
  ParameterMap trained_;
};

// The transformer itself, conditioned on a class slot: all of it trained, or nothing.
class ConditionalAdapter : public MaskedAdapter {
 public:
  ConditionalAdapter(const TransformerConfig& config, torch::ScalarType compute,
                     ParameterMap trained, ParameterMap frozen)
      : MaskedAdapter(config, compute),
        trained_(std::move(trained)),
        frozen_(converted(frozen, compute)) {}

  ParameterMap& trained() override { return trained_; }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    const ParameterMap weights = computing();
    const Tensor ids = with_class_slot(class_ids(batch.labels), batch.ids);
    const Tensor hidden = transform(config_, weights, embed_tokens(config_, weights, ids))
                              .narrow(1, 1, config_.tokens());
    return masked_cross_entropy(token_logits(config_, weights, hidden, config_.codebook),
                                batch.targets, batch.weights, label_smoothing);
  }
  std::string class_rule() const override {
    if (frozen_.empty()) return "class slot of the task";
    return "class of pretraining: label modulo " + std::to_string(config_.classes);
  }

 protected:
  Tensor initial_ids(const Tensor& labels) const override {
    return with_class_slot(class_ids(labels),
                           torch::full({labels.size(0), config_.tokens()}, -1, torch::kInt64));
  }
  Logits logits_for(const Tensor&) const override {
    return [this, weights = computing()](const Tensor& ids) {
      return token_logits(config_, weights,
                          transform(config_, weights, embed_tokens(config_, weights, ids)),
                          config_.codebook);
    };
  }

 private:
  ParameterMap computing() const {
    return frozen_.empty() ? converted(trained_, compute_) : frozen_;
  }
  Tensor class_ids(const Tensor& labels) const {
    return config_.codebook + labels % config_.classes;
  }

  ParameterMap trained_, frozen_;  // one of them
};

// Pretrained weights with the rows of the pretrained classes replaced by fresh ones for the task's.
ParameterMap with_new_classes(const ParameterMap& base, const TransformerConfig& config,
                              std::uint64_t seed) {
  ParameterMap fresh = init_transformer(config, seed);
  const std::int64_t codes = config.codebook;
  ParameterMap weights = converted(base, torch::kFloat32);
  for (const char* name : {kWords, kWordBias}) {
    const Tensor old = weights.at(name);
    weights[name] =
        at::cat({old.narrow(0, 0, codes), fresh.at(name).narrow(0, codes, config.classes),
                 old.narrow(0, old.size(0) - 1, 1)});
  }
  return weights;
}

}  // namespace

std::unique_ptr<Adapter> make_masked_adapter(const experiments::RunConfig& run,
                                             const TransformerConfig& base,
                                             const ParameterMap& weights, int classes) {
  const torch::ScalarType compute = compute_type(run);
  if (run.method == "prompt") return std::make_unique<PromptAdapter>(run, base, weights, classes);
  if (run.method == "none")
    return std::make_unique<ConditionalAdapter>(base, compute, ParameterMap{}, weights);
  TransformerConfig config = base;
  config.classes = classes;
  ParameterMap start;
  if (run.method == "finetune") {
    start = with_new_classes(weights, config, run.seed);
  } else {
    MARQUEE_CHECK(run.method == "scratch", "no adapter for method " + run.method);
    start = init_transformer(config, run.seed);
  }
  return std::make_unique<ConditionalAdapter>(config, compute, trainable_copy(start),
                                              ParameterMap{});
}

}  // namespace marquee::workers
