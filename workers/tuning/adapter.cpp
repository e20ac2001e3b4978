#include "workers/tuning/adapter.h"

#include <algorithm>

#include "cluster/error.h"
#include "workers/models/marquee_header.h"
#include "workers/models/masking.h"
#include "workers/models/prompt_generator.h"
#include "workers/random.h"
#include "workers/tuning/family_model.h"

namespace marquee::workers {
namespace {

using experiments::RunConfig;

constexpr float kInitScale = 0.02F;
constexpr const char* kClassRows = "class_embeddings/embedding";

// What all methods share: the model of the base's family, the type that it computes in, and where.
class ModelAdapter : public Adapter {
 public:
  ModelAdapter(std::unique_ptr<FamilyModel> model, torch::ScalarType compute, torch::Device device,
               const ParameterMap& trained)
      : model_(std::move(model)),
        compute_(compute),
        device_(device),
        trained_(trainable_copy(on_device(trained))) {}

  ParameterMap& trained() override { return trained_; }
  torch::Device device() const override { return device_; }
  bool masks() const override { return model_->masks(); }
  Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const override {
    return model_->sample_losses(weights(), condition(batch.identifiers, batch.dropout), batch,
                                 label_smoothing);
  }
  Tensor sample_tokens(const RunConfig& run, const Subjects& subjects, std::uint64_t first,
                       const FrameObserver& observe) const override {
    const torch::InferenceMode inference;
    Subjects here;
    for (const Identifiers& identifiers : subjects) here.push_back(identifiers.to(device_));
    return model_->sample_tokens(weights(), condition_of(run, here), run, first, observe)
        .to(torch::kCPU);
  }

 protected:
  virtual ParameterMap weights() const = 0;  // of type compute_
  virtual Condition condition(const Identifiers& identifiers, const Tensor& dropout) const = 0;
  // While images are decoded; `here`: by waypoint.
  virtual Condition condition_of(const RunConfig&, const Subjects& here) const {
    return condition(here.back(), {});
  }

  ParameterMap on_device(const ParameterMap& parameters) const {
    ParameterMap result;
    for (const auto& [name, tensor] : parameters) result[name] = tensor.to(device_);
    return result;
  }
  std::unique_ptr<FamilyModel> model_;
  torch::ScalarType compute_;
  torch::Device device_;
  ParameterMap trained_;
};

// Methods that leave the base as it is.
class FrozenAdapter : public ModelAdapter {
 public:
  FrozenAdapter(std::unique_ptr<FamilyModel> model, torch::ScalarType compute, torch::Device device,
                const ParameterMap& base, const ParameterMap& trained)
      : ModelAdapter(std::move(model), compute, device, trained),
        frozen_(on_device(converted(base, compute))) {}

 protected:
  ParameterMap weights() const override { return frozen_; }

  ParameterMap frozen_;
};

// The generator is trained.
class PromptAdapter : public FrozenAdapter {
 public:
  PromptAdapter(std::unique_ptr<FamilyModel> model, torch::ScalarType compute, torch::Device device,
                const ParameterMap& base, const PromptConfig& generator, std::uint64_t seed)
      : FrozenAdapter(std::move(model), compute, device, base,
                      init_prompt_generator(generator, seed)),
        generator_(generator) {}

  std::pair<std::int64_t, std::int64_t> dropout_shape() const override {
    return {generator_.length, generator_.width};
  }
  std::string class_rule() const override {
    if (generator_.classes > 1) return "prompt of the class";
    return generator_.instances > 0 ? "prompt of a training image" : "one prompt for all";
  }

 protected:
  Condition condition(const Identifiers& identifiers, const Tensor& dropout) const override {
    return {.prompts = finished(embedded(identifiers), dropout)};
  }
  Condition condition_of(const RunConfig& run, const Subjects& here) const override {
    if (here.size() == 1) return condition(here[0], {});
    const MarqueeSchedule schedule = parse_marquee_schedule(run.marquee_schedule);
    const bool finished_ones = run.marquee_space == "token";
    std::vector<Tensor> waypoints;
    for (const Identifiers& identifiers : here) {
      const Tensor embeddings = embedded(identifiers);
      waypoints.push_back(finished_ones ? finished(embeddings, {}) : embeddings);
    }
    const std::int64_t steps = run.decode_steps, last = std::ssize(waypoints) - 1;
    const auto header = [this, schedule, finished_ones, waypoints, steps, last](std::int64_t step) {
      const Tensor mixed = marquee_mix(waypoints, marquee_position(schedule, step, steps, last));
      return finished_ones ? mixed : finished(mixed, {});
    };
    return {.header = header};
  }

 private:
  Tensor embedded(Identifiers identifiers) const {
    if (generator_.classes == 1) identifiers.classes = torch::zeros_like(identifiers.classes);
    return prompt_embeddings(generator_, trained_, identifiers);
  }
  Tensor finished(const Tensor& embeddings, const Tensor& dropout) const {
    return finish_prompts(generator_, trained_, embeddings, dropout).to(compute_);
  }

  PromptConfig generator_;
};

// A row for each class of the task in the place of the class's embedding is trained, with low-rank
// additions to the projections of attention where the model is given any.
class ClassRowAdapter : public FrozenAdapter {
 public:
  using FrozenAdapter::FrozenAdapter;
  std::string class_rule() const override { return "learned embedding of the class"; }

 protected:
  ParameterMap weights() const override {
    ParameterMap all = frozen_;
    for (const auto& [name, tensor] : trained_)
      if (name != kClassRows) all[name] = tensor.to(compute_);
    return all;
  }
  Condition condition(const Identifiers& identifiers, const Tensor&) const override {
    return {.class_rows = at::embedding(trained_.at(kClassRows), identifiers.classes).to(compute_)};
  }
};

// Method none: classes of pretraining.
class BareAdapter : public FrozenAdapter {
 public:
  using FrozenAdapter::FrozenAdapter;
  std::string class_rule() const override {
    return "class of pretraining: label modulo " + std::to_string(model_->classes());
  }

 protected:
  Condition condition(const Identifiers& identifiers, const Tensor&) const override {
    return {.classes = identifiers.classes % model_->classes()};
  }
};

// The transformer itself is trained, all of it.
class WholeAdapter : public ModelAdapter {
 public:
  using ModelAdapter::ModelAdapter;
  std::string class_rule() const override { return model_->class_rule(); }

 protected:
  ParameterMap weights() const override { return converted(trained_, compute_); }
  Condition condition(const Identifiers& identifiers, const Tensor&) const override {
    return {.classes = identifiers.classes};
  }
};

std::unique_ptr<FamilyModel> make_model(const TransformerConfig& config, bool recompute) {
  return make_masked_model(config, recompute);
}
std::unique_ptr<FamilyModel> make_model(const GptConfig& config, bool recompute) {
  return make_autoregressive_model(config, recompute);
}

PromptConfig generator_of(const RunConfig& run, int classes, std::int64_t instances,
                          std::int64_t width) {
  PromptConfig config;
  config.classes = experiments::knows_classes(run) ? classes : 1;
  config.length = run.prompt_length;
  config.width = width;
  config.hidden = run.hidden_mapping ? width : 0;
  if (run.prompt_kind == "factorised") {
    config.kind = PromptKind::factorised;
    config.factors = run.factors;
  } else if (run.prompt_kind == "free") {
    config.kind = PromptKind::free;
  }
  if (experiments::knows_instances(run)) {
    MARQUEE_CHECK(instances > 0, "make_adapter: a generator of instances needs their number");
    config.instances = instances;
  }
  return config;
}

// The first factor as small random numbers, the second zero: at first nothing is added.
ParameterMap init_lora(const FamilyModel& model, const RunConfig& run) {
  return initial_parameters(model.lora_shapes(run.lora_rank), run.seed, cluster::Purpose::init,
                            [](const std::string& name, const auto& shape, PhiloxStream& stream) {
                              return name.ends_with("lora_b")
                                         ? torch::zeros(shape)
                                         : truncated_normal_tensor(stream, shape, kInitScale);
                            });
}

}  // namespace

TuningBatch TuningBatch::to(torch::Device device) const {
  if (device.is_cpu()) return *this;
  const auto move = [&](const Tensor& tensor) {
    return tensor.defined() ? tensor.to(device, /*non_blocking=*/true) : tensor;
  };
  return {move(targets),          move(ids),    move(positions), move(weights),
          identifiers.to(device), move(dropout)};
}

void mask_batch(TuningBatch& batch, const Tensor& scores, const std::vector<std::int64_t>& counts) {
  const MaskedTokens masked = apply_mask(batch.targets, scores, counts);
  const std::int64_t most = *std::max_element(counts.begin(), counts.end());
  batch.ids = masked.ids;
  // The masked ones first, each kind in the order of the tokens.
  batch.positions =
      std::get<1>(masked.weights.sort(/*stable=*/true, 1, /*descending=*/true)).narrow(1, 0, most);
  batch.weights = masked.weights.gather(1, batch.positions);
}

std::unique_ptr<Adapter> make_adapter(const RunConfig& run, const BaseModel& base, int classes,
                                      std::int64_t instances, torch::Device device) {
  const bool own_classes = run.method == "finetune" || run.method == "scratch";
  std::unique_ptr<FamilyModel> model = std::visit(
      [&](auto config) {
        if (own_classes) config.classes = classes;
        return make_model(config, run.recompute_activations);
      },
      base.transformer.config);
  const ParameterMap& pretrained = base.transformer.weights;
  const torch::ScalarType compute = compute_type(run);
  if (run.method == "prompt") {
    const PromptConfig generator = generator_of(run, classes, instances, model->width());
    return std::make_unique<PromptAdapter>(std::move(model), compute, device, pretrained, generator,
                                           run.seed);
  }
  if (run.method == "finetune" || run.method == "scratch") {
    const ParameterMap start = run.method == "scratch"
                                   ? model->random_weights(run.seed)
                                   : model->with_fresh_classes(pretrained, run.seed);
    return std::make_unique<WholeAdapter>(std::move(model), compute, device, start);
  }
  if (run.method == "linear_class" || run.method == "lora") {
    ParameterMap start;
    if (run.method == "lora") start = init_lora(*model, run);
    start[kClassRows] = model->mean_class_row(pretrained).repeat({classes, 1});
    return std::make_unique<ClassRowAdapter>(std::move(model), compute, device, pretrained, start);
  }
  MARQUEE_CHECK(run.method == "none", "no adapter for method " + run.method);
  return std::make_unique<BareAdapter>(std::move(model), compute, device, pretrained,
                                       ParameterMap{});
}

torch::ScalarType compute_type(const RunConfig& run) {
  return run.compute == "bf16" ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace marquee::workers
