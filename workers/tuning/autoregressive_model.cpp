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
  explicit AutoregressiveModel(const GptConfig& config) : config_(config) {}

  bool masks() const override { return false; }
  std::int64_t width() const override { return config_.width; }
  std::int64_t classes() const override { return config_.classes; }
  std::string class_rule() const override {
    return "class id of the task, in the table of the codes";
  }

  Tensor sample_losses(const ParameterMap& weights, const Condition& condition,
                       const TuningBatch& batch, double label_smoothing) const override {
    const Tensor logits =
        gpt_token_logits(config_, weights, prefix(weights, condition), batch.targets);
    return masked_cross_entropy(logits, batch.targets,
                                torch::ones(batch.targets.sizes(), logits.device()),
                                label_smoothing);
  }

  Tensor sample_tokens(const ParameterMap& weights, const Condition& condition,
                       const experiments::RunConfig& run, std::uint64_t first) const override {
    const Tensor front = prefix(weights, condition);
    const std::int64_t batch = front.size(0);
    return decode_sequence({run.temperature, run.top_k, run.top_p},
                           torch::empty({batch, 0}, torch::kInt64),
                           philox_uniform(run.seed, first, batch, config_.tokens()),
                           cached_logits(config_, weights, front, config_.tokens()));
  }

  ParameterMap random_weights(std::uint64_t seed) const override { return init_gpt(config_, seed); }
  ParameterMap with_fresh_classes(const ParameterMap& pretrained, std::uint64_t) const override {
    return converted(pretrained, torch::kFloat32);
  }

 private:
  Tensor prefix(const ParameterMap& weights, const Condition& condition) const {
    if (condition.prompts.defined()) return condition.prompts;
    return gpt_embed(config_, weights, condition.classes.unsqueeze(1), 0);
  }

  GptConfig config_;
};

}  // namespace

std::unique_ptr<FamilyModel> make_autoregressive_model(const GptConfig& config) {
  if (config.classes > config.codebook) {
    cluster::throw_usage("the task has " + std::to_string(config.classes) +
                         " classes; an autoregressive base feeds them by the table of its " +
                         std::to_string(config.codebook) + " codes and can have no more");
  }
  return std::make_unique<AutoregressiveModel>(config);
}

}  // namespace marquee::workers
