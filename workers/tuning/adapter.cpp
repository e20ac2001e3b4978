#include "workers/tuning/adapter.h"

#include "cluster/error.h"
#include "workers/models/prompt_generator.h"
#include "workers/tuning/family_model.h"

namespace marquee::workers {
namespace {

// What all methods share: the model of the base's family, and the type that it computes in.
class ModelAdapter : public Adapter {
 public:
  ModelAdapter(std::unique_ptr<FamilyModel> model, torch::ScalarType compute)
      : model_(std::move(model)), compute_(compute) {}

  bool masks() const override { return model_->masks(); }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    return model_->sample_losses(weights(), condition(batch.labels, batch.dropout), batch,
                                 label_smoothing);
  }
  Tensor sample_tokens(const experiments::RunConfig& run, const Tensor& labels,
                       std::uint64_t first) const override {
    const torch::InferenceMode inference;
    return model_->sample_tokens(weights(), condition(labels, {}), run, first);
  }

 protected:
  virtual ParameterMap weights() const = 0;  // of type compute_
  virtual Condition condition(const Tensor& labels, const Tensor& dropout) const = 0;

  std::unique_ptr<FamilyModel> model_;
  torch::ScalarType compute_;
};

// The generator is trained, the base frozen.
class PromptAdapter : public ModelAdapter {
 public:
  PromptAdapter(const experiments::RunConfig& run, std::unique_ptr<FamilyModel> model,
                const ParameterMap& base, int classes)
      : ModelAdapter(std::move(model), compute_type(run)),
        weights_(converted(base, compute_)),
        generator_{classes, run.prompt_length, model_->width()},
        trained_(trainable_copy(init_prompt_generator(generator_, run.seed))) {}

  ParameterMap& trained() override { return trained_; }
  std::pair<std::int64_t, std::int64_t> dropout_shape() const override {
    return {generator_.length, generator_.width};
  }
  std::string class_rule() const override { return "prompt of the class"; }

 protected:
  ParameterMap weights() const override { return weights_; }
  Condition condition(const Tensor& labels, const Tensor& dropout) const override {
    return {prompt_tokens(generator_, trained_, labels, dropout).to(compute_), {}};
  }

 private:
  ParameterMap weights_;
  PromptConfig generator_;
  ParameterMap trained_;
};

// The transformer itself, conditioned on a class: all of it trained, or nothing.
class ConditionalAdapter : public ModelAdapter {
 public:
  ConditionalAdapter(std::unique_ptr<FamilyModel> model, torch::ScalarType compute,
                     ParameterMap trained, const ParameterMap& frozen)
      : ModelAdapter(std::move(model), compute),
        trained_(std::move(trained)),
        frozen_(converted(frozen, compute)) {}

  ParameterMap& trained() override { return trained_; }
  std::string class_rule() const override {
    if (frozen_.empty()) return model_->class_rule();
    return "class of pretraining: label modulo " + std::to_string(model_->classes());
  }

 protected:
  ParameterMap weights() const override {
    return frozen_.empty() ? converted(trained_, compute_) : frozen_;
  }
  Condition condition(const Tensor& labels, const Tensor&) const override {
    return {{}, labels % model_->classes()};
  }

 private:
  ParameterMap trained_, frozen_;  // one of them
};

std::unique_ptr<FamilyModel> make_model(const TransformerConfig& config) {
  return make_masked_model(config);
}
std::unique_ptr<FamilyModel> make_model(const GptConfig& config) {
  return make_autoregressive_model(config);
}

}  // namespace

std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes) {
  const bool own_classes = run.method == "finetune" || run.method == "scratch";
  std::unique_ptr<FamilyModel> model = std::visit(
      [&](auto config) {
        if (own_classes) config.classes = classes;
        return make_model(config);
      },
      base.transformer.config);
  const ParameterMap& pretrained = base.transformer.weights;
  if (run.method == "prompt")
    return std::make_unique<PromptAdapter>(run, std::move(model), pretrained, classes);
  ParameterMap start;
  if (run.method == "finetune") {
    start = model->with_fresh_classes(pretrained, run.seed);
  } else if (run.method == "scratch") {
    start = model->random_weights(run.seed);
  } else {
    MARQUEE_CHECK(run.method == "none", "no adapter for method " + run.method);
  }
  return std::make_unique<ConditionalAdapter>(std::move(model), compute_type(run),
                                              trainable_copy(start),
                                              own_classes ? ParameterMap{} : pretrained);
}

torch::ScalarType compute_type(const experiments::RunConfig& run) {
  return run.compute == "bf16" ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace marquee::workers
