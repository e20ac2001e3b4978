// What the methods need of a transformer, whatever its family: losses and samples under prompts or
// classes, with weights that the method owns. Thread safe for reading: nothing is stored.
#pragma once

#include <memory>

#include "experiments/run_config.h"
#include "workers/models/gpt.h"
#include "workers/models/transformer.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {

// What stands in front of the tokens of each row.
struct Condition {
  Tensor prompts;  // [B, S, D] of the weights' type; undefined: the classes count
  Tensor classes;  // int64 [B], of the transformer
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
                               const experiments::RunConfig& run, std::uint64_t first) const = 0;

  // float32: fresh ones, and pretrained ones with fresh classes where classes are rows of their own.
  virtual ParameterMap random_weights(std::uint64_t seed) const = 0;
  virtual ParameterMap with_fresh_classes(const ParameterMap& pretrained,
                                          std::uint64_t seed) const = 0;
};

std::unique_ptr<FamilyModel> make_masked_model(const TransformerConfig& config);
// Throws usage where the classes are more than the codes, whose table they share.
std::unique_ptr<FamilyModel> make_autoregressive_model(const GptConfig& config);

}  // namespace marquee::workers
