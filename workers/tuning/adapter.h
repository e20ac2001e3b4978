// How a method adapts the base: what it trains, its loss on tokens, and the tokens it samples. What
// depends on the family of the transformer is in family_model.h.
#pragma once

#include <memory>

#include "experiments/run_config.h"
#include "workers/base_model.h"

namespace marquee::workers {

// Rows of a batch, or of a micro-batch of it.
struct TuningBatch {
  Tensor targets;  // int64 [B, N]
  Tensor ids;      // int64 [B, N], -1 where masked; undefined where the adapter masks nothing
  Tensor weights;  // float32 [B, N], 1 where masked; likewise
  Tensor labels;   // int64 [B]
  Tensor dropout;  // float32 [B, S, D] factors for prompts; undefined where the method has none
};

class Adapter {
 public:
  virtual ~Adapter() = default;

  // Leaves that require a gradient; empty for method none.
  virtual ParameterMap& trained() = 0;
  // Whether sample_losses wants masked tokens.
  virtual bool masks() const = 0;
  // Loss of each row, float32 [B].
  virtual Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const = 0;
  // S, D of the dropout factors; {0, 0} where there is no dropout.
  virtual std::pair<std::int64_t, std::int64_t> dropout_shape() const { return {0, 0}; }
  // Tokens int64 [B, N] of images first..first+B-1 of the run's seed with labels int64 [B]. Random
  // numbers are keyed by (seed, image, step).
  virtual Tensor sample_tokens(const experiments::RunConfig& run, const Tensor& labels,
                               std::uint64_t first) const = 0;
  // What stands for label c of the task, for the record ("prompt", "base class c mod 102", ...).
  virtual std::string class_rule() const = 0;
};

// For prompt, finetune, scratch and none. `base` must outlive the adapter.
std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes);

// The type that the transformer of a run computes in: its weights and activations. What is trained,
// the optimiser and the loss stay float32.
torch::ScalarType compute_type(const experiments::RunConfig& run);

}  // namespace marquee::workers
