#include "workers/tuning/adapter.h"

#include "cluster/error.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr const char* kWords = "Embed_0/word_embeddings/embedding";
constexpr const char* kWordBias = "MlmLayer_0/mlm_bias/bias";

Tensor with_class_slot(const Tensor& slot, const Tensor& ids) {
  return at::cat({slot.unsqueeze(1), ids}, 1);
}

// The generator is trained, the base frozen.
class PromptAdapter : public Adapter {
 public:
  PromptAdapter(const experiments::RunConfig& run, const BaseModel& base, int classes)
      : base_(base),
        config_{classes, run.prompt_length, base.transformer_config.width},
        trained_(trainable_copy(init_prompt_generator(config_, run.seed))) {}

  ParameterMap& trained() override { return trained_; }
  std::pair<std::int64_t, std::int64_t> dropout_shape() const override {
    return {config_.length, config_.width};
  }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    const TransformerConfig& model = base_.transformer_config;
    const Tensor prompts = prompt_tokens(config_, trained_, batch.labels, batch.dropout);
    // The class slot has no part in the prompted sequence; its id is never looked at.
    const Tensor ids = with_class_slot(torch::full_like(batch.labels, -1), batch.ids);
    const Tensor hidden = prompted_hidden(model, base_.transformer, ids, prompts)
                              .narrow(1, config_.length, model.tokens());
    return masked_cross_entropy(token_logits(model, base_.transformer, hidden, model.codebook),
                                batch.targets, batch.weights, label_smoothing);
  }
  Tensor initial_ids(const Tensor& labels) const override {
    return torch::full({labels.size(0), base_.transformer_config.positions()}, -1, torch::kInt64);
  }
  Tensor decode_logits(const Tensor& ids, const Tensor& labels) const override {
    return prompted_logits(base_.transformer_config, base_.transformer, ids,
                           prompt_tokens(config_, trained_, labels));
  }
  std::string class_rule() const override { return "prompt of the class"; }

 private:
  const BaseModel& base_;
  PromptConfig config_;
  ParameterMap trained_;
};

// The transformer itself, conditioned on a class slot: all of it trained, or nothing.
class ConditionalAdapter : public Adapter {
 public:
  ConditionalAdapter(TransformerConfig config, ParameterMap trained, const ParameterMap* frozen)
      : config_(config), trained_(std::move(trained)), frozen_(frozen) {}

  ParameterMap& trained() override { return trained_; }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    const Tensor ids = with_class_slot(class_ids(batch.labels), batch.ids);
    const Tensor hidden = transform(config_, weights(), embed_tokens(config_, weights(), ids))
                              .narrow(1, 1, config_.tokens());
    return masked_cross_entropy(token_logits(config_, weights(), hidden, config_.codebook),
                                batch.targets, batch.weights, label_smoothing);
  }
  Tensor initial_ids(const Tensor& labels) const override {
    return with_class_slot(class_ids(labels),
                           torch::full({labels.size(0), config_.tokens()}, -1, torch::kInt64));
  }
  Tensor decode_logits(const Tensor& ids, const Tensor&) const override {
    return token_logits(config_, weights(),
                        transform(config_, weights(), embed_tokens(config_, weights(), ids)),
                        config_.codebook);
  }
  std::string class_rule() const override {
    if (frozen_ == nullptr) return "class slot of the task";
    return "class of pretraining: label modulo " + std::to_string(config_.classes);
  }

 private:
  const ParameterMap& weights() const { return frozen_ != nullptr ? *frozen_ : trained_; }
  Tensor class_ids(const Tensor& labels) const {
    return config_.codebook + labels % config_.classes;
  }

  TransformerConfig config_;
  ParameterMap trained_;
  const ParameterMap* frozen_;
};

// Pretrained weights with the rows of the pretrained classes replaced by fresh ones for the task's.
ParameterMap with_new_classes(const BaseModel& base, const TransformerConfig& config,
                              std::uint64_t seed) {
  ParameterMap fresh = init_transformer(config, seed);
  const std::int64_t codes = config.codebook;
  ParameterMap weights = base.transformer;
  for (const char* name : {kWords, kWordBias}) {
    const Tensor& old = base.transformer.at(name);
    weights[name] =
        at::cat({old.narrow(0, 0, codes), fresh.at(name).narrow(0, codes, config.classes),
                 old.narrow(0, old.size(0) - 1, 1)});
  }
  return weights;
}

}  // namespace

std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes) {
  if (run.method == "prompt") return std::make_unique<PromptAdapter>(run, base, classes);
  if (run.method == "none") {
    return std::make_unique<ConditionalAdapter>(base.transformer_config, ParameterMap{},
                                                &base.transformer);
  }
  TransformerConfig config = base.transformer_config;
  config.classes = classes;
  if (run.method == "finetune") {
    return std::make_unique<ConditionalAdapter>(
        config, trainable_copy(with_new_classes(base, config, run.seed)), nullptr);
  }
  MARQUEE_CHECK(run.method == "scratch", "no adapter for method " + run.method);
  return std::make_unique<ConditionalAdapter>(
      config, trainable_copy(init_transformer(config, run.seed)), nullptr);
}

}  // namespace marquee::workers
