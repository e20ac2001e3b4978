// Prompts stand in the place of the class and take no position (`keep_positions`): token j keeps
// position 1+j whatever their number, and the published block size, which has room for a class and
// 255 tokens, limits nothing.
#include "cluster/error.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"
#include "workers/tuning/family_model.h"

namespace marquee::workers {
namespace {

class AutoregressiveModel : public FamilyModel {
 public:
  AutoregressiveModel(const GptConfig& config, bool recompute)
      : config_(config), recompute_(recompute) {}

  bool masks() const override { return false; }
  std::int64_t width() const override { return config_.width; }
  std::int64_t classes() const override { return config_.classes; }
  std::string class_rule() const override {
    return "class id of the task, in the table of the codes";
  }

  Tensor sample_losses(const ParameterMap& weights, const Condition& condition,
                       const TuningBatch& batch, double label_smoothing) const override {
    const Tensor logits =
        gpt_token_logits(config_, weights, prefix(weights, condition), batch.targets, recompute_);
    return masked_cross_entropy(logits, batch.targets,
                                torch::ones(batch.targets.sizes(), logits.device()),
                                label_smoothing);
  }

  Tensor sample_tokens(const ParameterMap& weights, const Condition& condition,
                       const experiments::RunConfig& run, std::uint64_t first,
                       const FrameObserver& observe) const override {
    MARQUEE_CHECK(!condition.header, "the marquee header needs iterative decoding");
    const Tensor front = prefix(weights, condition);
    const std::int64_t batch = front.size(0), count = config_.tokens();
    const auto ids = torch::dtype(torch::kInt64).device(front.device());
    SequenceObserver on_step;
    Tensor tokens, settled;
    if (observe) {
      tokens = torch::zeros({batch, count}, ids);
      settled = torch::zeros({batch, count}, ids.dtype(torch::kBool));
      on_step = [&](const SequenceStep& step) {
        tokens.select(1, step.step).copy_(step.picked);
        settled.select(1, step.step).fill_(true);
        observe({step.step, count, tokens.clone(), settled.clone()});
      };
    }
    return decode_sequence({run.temperature, run.top_k, run.top_p}, torch::empty({batch, 0}, ids),
                           philox_uniform(run.seed, first, batch, count),
                           cached_logits(config_, weights, front, count), on_step);
  }

  ParameterMap random_weights(std::uint64_t seed) const override { return init_gpt(config_, seed); }
  ParameterMap with_fresh_classes(const ParameterMap& pretrained, std::uint64_t) const override {
    return converted(pretrained, torch::kFloat32);
  }
  Tensor mean_class_row(const ParameterMap& pretrained) const override {
    return pretrained.at("tok_emb.weight")
        .narrow(0, 0, config_.classes)
        .to(torch::kFloat32)
        .mean(0);
  }
  ShapeMap lora_shapes(std::int64_t rank) const override { return gpt_lora_shapes(config_, rank); }

 private:
  Tensor prefix(const ParameterMap& weights, const Condition& condition) const {
    if (condition.prompts.defined()) return condition.prompts;
    // A class takes position 0.
    if (condition.class_rows.defined())
      return condition.class_rows.unsqueeze(1) + weights.at("pos_emb").narrow(1, 0, 1);
    return gpt_embed(config_, weights, condition.classes.unsqueeze(1), 0);
  }

  GptConfig config_;
  bool recompute_;
};

}  // namespace

std::unique_ptr<FamilyModel> make_autoregressive_model(const GptConfig& config, bool recompute) {
  if (config.classes > config.codebook) {
    cluster::throw_usage("the task has " + std::to_string(config.classes) +
                         " classes; an autoregressive base feeds them by the table of its " +
                         std::to_string(config.codebook) + " codes and can have no more");
  }
  return std::make_unique<AutoregressiveModel>(config, recompute);
}

}  // namespace marquee::workers
