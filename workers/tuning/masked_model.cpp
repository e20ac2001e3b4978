#include "workers/models/decode.h"
#include "workers/models/loss.h"
#include "workers/tuning/family_model.h"

namespace marquee::workers {
namespace {

constexpr const char* kWords = "Embed_0/word_embeddings/embedding";
constexpr const char* kWordBias = "MlmLayer_0/mlm_bias/bias";

Tensor with_class_slot(const Tensor& slot, const Tensor& ids) {
  return at::cat({slot.unsqueeze(1), ids}, 1);
}

class MaskedModel : public FamilyModel {
 public:
  explicit MaskedModel(const TransformerConfig& config) : config_(config) {}

  bool masks() const override { return true; }
  std::int64_t width() const override { return config_.width; }
  std::int64_t classes() const override { return config_.classes; }
  std::string class_rule() const override { return "class slot of the task"; }

  Tensor sample_losses(const ParameterMap& weights, const Condition& condition,
                       const TuningBatch& batch, double label_smoothing) const override {
    const bool prompted = condition.prompts.defined();
    // The class slot has no part in a prompted sequence; its id is never looked at.
    const Tensor slot = prompted ? torch::full_like(batch.labels, -1) : class_ids(condition);
    const Tensor ids = with_class_slot(slot, batch.ids);
    const Tensor all = prompted ? prompted_hidden(config_, weights, ids, condition.prompts)
                                : transform(config_, weights, embed_tokens(config_, weights, ids));
    const Tensor hidden = all.narrow(1, all.size(1) - config_.tokens(), config_.tokens());
    return masked_cross_entropy(token_logits(config_, weights, hidden, config_.codebook),
                                batch.targets, batch.weights, label_smoothing);
  }

  Tensor sample_tokens(const ParameterMap& weights, const Condition& condition,
                       const experiments::RunConfig& run, std::uint64_t first) const override {
    const bool prompted = condition.prompts.defined();
    const std::int64_t batch = prompted ? condition.prompts.size(0) : condition.classes.size(0);
    // With prompts the class slot is unknown too and counts among the unknown, as in the official
    // sampler.
    const Tensor slot =
        prompted ? torch::full({batch}, -1, torch::kInt64) : class_ids(condition);
    const Tensor start =
        with_class_slot(slot, torch::full({batch, config_.tokens()}, -1, torch::kInt64));
    const auto logits = [&](const Tensor& ids) {
      if (prompted) return prompted_logits(config_, weights, ids, condition.prompts);
      return token_logits(config_, weights,
                          transform(config_, weights, embed_tokens(config_, weights, ids)),
                          config_.codebook);
    };
    DecodeOptions options;
    options.steps = run.decode_steps;
    options.choice_temperature = static_cast<float>(run.choice_temperature);
    options.schedule = parse_mask_schedule(run.mask_schedule);
    const Tensor ids = decode_tokens(
        options, start,
        [&](const Tensor& now, std::int64_t) { return logits(now).to(torch::kFloat32); },
        [&](std::int64_t step) {
          return philox_noise(run.seed, first, batch, step, config_.positions(), config_.codebook);
        });
    return ids.narrow(1, 1, config_.tokens());
  }

  ParameterMap random_weights(std::uint64_t seed) const override {
    return init_transformer(config_, seed);
  }
  ParameterMap with_fresh_classes(const ParameterMap& pretrained,
                                  std::uint64_t seed) const override {
    const ParameterMap fresh = random_weights(seed);
    const std::int64_t codes = config_.codebook;
    ParameterMap weights = converted(pretrained, torch::kFloat32);
    for (const char* name : {kWords, kWordBias}) {
      const Tensor old = weights.at(name);
      weights[name] =
          at::cat({old.narrow(0, 0, codes), fresh.at(name).narrow(0, codes, config_.classes),
                   old.narrow(0, old.size(0) - 1, 1)});
    }
    return weights;
  }

 private:
  Tensor class_ids(const Condition& condition) const {
    return config_.codebook + condition.classes;
  }

  TransformerConfig config_;
};

}  // namespace

std::unique_ptr<FamilyModel> make_masked_model(const TransformerConfig& config) {
  return std::make_unique<MaskedModel>(config);
}

}  // namespace marquee::workers
