// Methods on an autoregressive transformer. Prompts stand in the place of the class and take no
// position (`keep_positions`): token j keeps position 1+j whatever their number, and the published
// block size, which has room for a class and 255 tokens, limits nothing.
#include "cluster/error.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/tuning/family_adapters.h"

namespace marquee::workers {
namespace {

// What stands in front of the tokens differs: prompts, or an embedded class.
class AutoregressiveAdapter : public Adapter {
 public:
  AutoregressiveAdapter(const GptConfig& config, torch::ScalarType compute)
      : config_(config), compute_(compute) {}

  bool masks() const override { return false; }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    const ParameterMap weights = computing();
    const Tensor logits = gpt_token_logits(
        config_, weights, prefix(weights, batch.labels, batch.dropout), batch.targets);
    return masked_cross_entropy(logits, batch.targets,
                                torch::ones(batch.targets.sizes(), logits.device()),
                                label_smoothing);
  }
  Tensor sample_tokens(const experiments::RunConfig& run, const Tensor& labels,
                       std::uint64_t first) const override {
    const torch::InferenceMode inference;
    const ParameterMap weights = computing();
    return decode_sequence(
        {run.temperature, run.top_k, run.top_p}, torch::empty({labels.size(0), 0}, torch::kInt64),
        philox_uniform(run.seed, first, labels.size(0), config_.tokens()),
        cached_logits(config_, weights, prefix(weights, labels, {}), config_.tokens()));
  }

 protected:
  // Weights in the type that is computed in.
  virtual ParameterMap computing() const = 0;
  // [B, S, D].
  virtual Tensor prefix(const ParameterMap& weights, const Tensor& labels,
                        const Tensor& dropout) const = 0;

  GptConfig config_;
  torch::ScalarType compute_;
};

// The generator is trained, the base frozen.
class PromptAdapter : public AutoregressiveAdapter {
 public:
  PromptAdapter(const experiments::RunConfig& run, const GptConfig& config,
                const ParameterMap& weights, int classes)
      : AutoregressiveAdapter(config, compute_type(run)),
        weights_(converted(weights, compute_)),
        generator_{classes, run.prompt_length, config.width},
        trained_(trainable_copy(init_prompt_generator(generator_, run.seed))) {}

  ParameterMap& trained() override { return trained_; }
  std::pair<std::int64_t, std::int64_t> dropout_shape() const override {
    return {generator_.length, generator_.width};
  }
  std::string class_rule() const override { return "prompt of the class"; }

 protected:
  ParameterMap computing() const override { return weights_; }
  Tensor prefix(const ParameterMap&, const Tensor& labels, const Tensor& dropout) const override {
    return prompt_tokens(generator_, trained_, labels, dropout).to(compute_);
  }

 private:
  ParameterMap weights_;
  PromptConfig generator_;
  ParameterMap trained_;
};

// The transformer itself behind a class, whose id shares the table of the codes: all of it trained,
// or nothing.
class ConditionalAdapter : public AutoregressiveAdapter {
 public:
  ConditionalAdapter(const GptConfig& config, torch::ScalarType compute, ParameterMap trained,
                     const ParameterMap& frozen)
      : AutoregressiveAdapter(config, compute),
        trained_(std::move(trained)),
        frozen_(converted(frozen, compute)) {}

  ParameterMap& trained() override { return trained_; }
  std::string class_rule() const override {
    if (frozen_.empty()) return "class id of the task, in the table of the codes";
    return "class of pretraining: label modulo " + std::to_string(config_.classes);
  }

 protected:
  ParameterMap computing() const override {
    return frozen_.empty() ? converted(trained_, compute_) : frozen_;
  }
  Tensor prefix(const ParameterMap& weights, const Tensor& labels, const Tensor&) const override {
    return gpt_embed(config_, weights, (labels % config_.classes).unsqueeze(1), 0);
  }

 private:
  ParameterMap trained_, frozen_;  // one of them
};

}  // namespace

std::unique_ptr<Adapter> make_autoregressive_adapter(const experiments::RunConfig& run,
                                                     const GptConfig& base,
                                                     const ParameterMap& weights, int classes) {
  const torch::ScalarType compute = compute_type(run);
  if (run.method == "prompt") return std::make_unique<PromptAdapter>(run, base, weights, classes);
  if (run.method == "none")
    return std::make_unique<ConditionalAdapter>(base, compute, ParameterMap{}, weights);
  if (classes > base.codebook) {
    cluster::throw_usage("method '" + run.method + "': the task has " + std::to_string(classes) +
                         " classes; an autoregressive base feeds them by the table of its " +
                         std::to_string(base.codebook) + " codes and can have no more");
  }
  GptConfig config = base;
  config.classes = classes;
  ParameterMap start;
  if (run.method == "finetune") {
    start = converted(weights, torch::kFloat32);
  } else {
    MARQUEE_CHECK(run.method == "scratch", "no adapter for method " + run.method);
    start = init_gpt(config, run.seed);
  }
  return std::make_unique<ConditionalAdapter>(config, compute, trainable_copy(start),
                                              ParameterMap{});
}

}  // namespace marquee::workers
