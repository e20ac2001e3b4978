// What the methods need of a transformer, whatever its family: losses and samples under prompts or
// classes, with weights that the method owns. Thread safe for reading: nothing is stored.
#pragma once

#include <functional>
#include <memory>

#include "experiments/run_config.h"
#include "workers/models/gpt.h"
#include "workers/models/transformer.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {

// What stands in front of the tokens of each row: prompts, else rows in the place of the class's
// embedding, else the embedded class.
struct Condition {
  Tensor prompts{};     // [B, S, D] of the weights' type
  Tensor class_rows{};  // [B, D], likewise
  Tensor classes{};     // int64 [B], of the transformer
  // Prompts of each decoding step, instead of `prompts`: the marquee header.
  std::function<Tensor(std::int64_t step)> header{};
};

class FamilyModel {
 public:
  virtual ~FamilyModel() = default;

  virtual bool masks() const = 0;            // see Adapter::masks
  virtual std::int64_t width() const = 0;    // D
  virtual std::int64_t classes() const = 0;  // that it can be conditioned on
  // What stands for a class of the task, once the classes are the task's.
  virtual std::string class_rule() const = 0;

  // float32 [B].
  virtual Tensor sample_losses(const ParameterMap& weights, const Condition& condition,
                               const TuningBatch& batch, double label_smoothing) const = 0;
  // int64 [B, N] of images first..first+B-1 of the run's seed.
  virtual Tensor sample_tokens(const ParameterMap& weights, const Condition& condition,
                               const experiments::RunConfig& run, std::uint64_t first,
                               const FrameObserver& observe) const = 0;

  // float32: fresh ones, and pretrained ones with fresh classes where classes are rows of their
  // own.
  virtual ParameterMap random_weights(std::uint64_t seed) const = 0;
  virtual ParameterMap with_fresh_classes(const ParameterMap& pretrained,
                                          std::uint64_t seed) const = 0;
  // float32 [D]: mean of the embeddings of the classes of pretraining.
  virtual Tensor mean_class_row(const ParameterMap& pretrained) const = 0;
  // Low-rank additions to the projections of attention, which `weights` may hold beside its own.
  virtual ShapeMap lora_shapes(std::int64_t rank) const = 0;
};

// `recompute`: layers keep their input alone for the way back (recompute.h).
std::unique_ptr<FamilyModel> make_masked_model(const TransformerConfig& config, bool recompute);
// Throws usage where the classes are more than the codes, whose table they share.
std::unique_ptr<FamilyModel> make_autoregressive_model(const GptConfig& config, bool recompute);

}  // namespace marquee::workers
