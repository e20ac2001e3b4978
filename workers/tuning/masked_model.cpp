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
  MaskedModel(const TransformerConfig& config, bool recompute)
      : config_(config), recompute_(recompute) {}

  bool masks() const override { return true; }
  std::int64_t width() const override { return config_.width; }
  std::int64_t classes() const override { return config_.classes; }
  std::string class_rule() const override { return "class slot of the task"; }

  Tensor sample_losses(const ParameterMap& weights, const Condition& condition,
                       const TuningBatch& batch, double label_smoothing) const override {
    const Tensor ids = with_class_slot(slot(condition, batch.ids.size(0)), batch.ids);
    const Tensor hidden =
        transform(config_, weights, embed(weights, condition, ids), {}, recompute_);
    // Slot 0 of the last 1+N positions is no token.
    const Tensor logits = token_logits_at(config_, weights, hidden, batch.positions + 1);
    return masked_cross_entropy(logits, batch.targets.gather(1, batch.positions), batch.weights,
                                label_smoothing);
  }

  Tensor sample_tokens(const ParameterMap& weights, const Condition& condition,
                       const experiments::RunConfig& run, std::uint64_t first,
                       const FrameObserver& observe) const override {
    const torch::Device device = weights.at(kWords).device();
    const bool moves = static_cast<bool>(condition.header);
    Condition now = condition;
    if (moves) now.prompts = condition.header(0);
    const std::int64_t batch = rows_of(now);
    const auto unknown = torch::dtype(torch::kInt64).device(device);
    const Tensor start =
        with_class_slot(slot(now, batch), torch::full({batch, config_.tokens()}, -1, unknown));
    const auto logits = [&](const Tensor& ids, std::int64_t step) {
      if (moves && step > 0) now.prompts = condition.header(step);
      const Tensor hidden = transform(config_, weights, embed(weights, now, ids));
      const Tensor last =
          hidden.narrow(1, hidden.size(1) - config_.positions(), config_.positions());
      return token_logits(config_, weights, last, config_.codebook).to(torch::kFloat32);
    };
    DecodeOptions options;
    options.steps = run.decode_steps;
    options.choice_temperature = static_cast<float>(run.choice_temperature);
    options.schedule = parse_mask_schedule(run.mask_schedule);
    DecodeObserver on_step;
    if (observe) {
      on_step = [&](const DecodeStep& step) {
        observe({step.step, options.steps, step.sampled_ids.narrow(1, 1, config_.tokens()),
                 step.mask.narrow(1, 1, config_.tokens()).logical_not()});
      };
    }
    const Tensor ids = decode_tokens(
        options, start, logits,
        [&](std::int64_t step) {
          return philox_noise(run.seed, first, batch, step, config_.positions(), config_.codebook,
                              device);
        },
        on_step);
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

  Tensor mean_class_row(const ParameterMap& pretrained) const override {
    return pretrained.at(kWords)
        .narrow(0, config_.codebook, config_.classes)
        .to(torch::kFloat32)
        .mean(0);
  }
  ShapeMap lora_shapes(std::int64_t rank) const override {
    return workers::lora_shapes(config_, rank);
  }

 private:
  static std::int64_t rows_of(const Condition& condition) {
    if (condition.prompts.defined()) return condition.prompts.size(0);
    return condition.class_rows.defined() ? condition.class_rows.size(0)
                                          : condition.classes.size(0);
  }

  // Ids of the class slot, int64 [B]. With prompts the slot has no part in the sequence, is unknown
  // and counts among the unknown, as in the official sampler. Where a learned row stands in it, it
  // is known, and its id is never looked at.
  Tensor slot(const Condition& condition, std::int64_t batch) const {
    if (condition.classes.defined()) return config_.codebook + condition.classes;
    const bool prompted = condition.prompts.defined();
    const Tensor& place = prompted ? condition.prompts : condition.class_rows;
    return torch::full({batch}, prompted ? -1 : config_.codebook,
                       torch::dtype(torch::kInt64).device(place.device()));
  }

  Tensor embed(const ParameterMap& weights, const Condition& condition, const Tensor& ids) const {
    if (condition.prompts.defined())
      return prompted_embeddings(config_, weights, ids, condition.prompts);
    if (condition.class_rows.defined())
      return embed_tokens(config_, weights, ids, condition.class_rows);
    return embed_tokens(config_, weights, ids);
  }

  TransformerConfig config_;
  bool recompute_;
};

}  // namespace

std::unique_ptr<FamilyModel> make_masked_model(const TransformerConfig& config, bool recompute) {
  return std::make_unique<MaskedModel>(config, recompute);
}

}  // namespace marquee::workers
