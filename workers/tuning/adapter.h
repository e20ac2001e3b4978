// How a method adapts the base: what it trains, its loss on tokens, and the tokens it samples. What
// depends on the family of the transformer is in family_model.h.
#pragma once

#include <functional>
#include <memory>

#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/subjects.h"

namespace marquee::workers {

// Rows of a batch, or of a micro-batch of it.
struct TuningBatch {
  Tensor targets;  // int64 [B, N]
  // Where the adapter masks tokens, else undefined. `positions` names the masked ones of each row,
  // and others where a row has fewer than M; `weights` is 1 for the masked ones, else 0.
  Tensor ids;        // int64 [B, N], -1 where masked
  Tensor positions;  // int64 [B, M]
  Tensor weights;    // float32 [B, M]
  Identifiers identifiers;
  Tensor dropout;  // float32 [B, S, D] factors for prompts; undefined where the method has none

  TuningBatch to(torch::Device device) const;
};

// Masks the counts[b] tokens of row b of `batch.targets` with the smallest scores (float32 [B, N]):
// fills ids, positions and weights.
void mask_batch(TuningBatch& batch, const Tensor& scores, const std::vector<std::int64_t>& counts);

// An image half made, for pictures of decoding.
struct DecodeFrame {
  std::int64_t step = 0, steps = 0;
  Tensor tokens;   // int64 [B, N]; what is not settled is a guess, or 0
  Tensor settled;  // bool [B, N]
};
using FrameObserver = std::function<void(const DecodeFrame& frame)>;

class Adapter {
 public:
  virtual ~Adapter() = default;

  // Leaves that require a gradient; empty for method none.
  virtual ParameterMap& trained() = 0;
  // Where they and everything computed lies.
  virtual torch::Device device() const = 0;
  // Whether sample_losses wants masked tokens.
  virtual bool masks() const = 0;
  // Loss of each row, float32 [B].
  virtual Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const = 0;
  // S, D of the dropout factors; {0, 0} where there is no dropout.
  virtual std::pair<std::int64_t, std::int64_t> dropout_shape() const { return {0, 0}; }
  // Tokens int64 [B, N] (on the CPU) of images first..first+B-1 of the run's seed. Random numbers
  // are keyed by (seed, image, step).
  virtual Tensor sample_tokens(const experiments::RunConfig& run, const Subjects& subjects,
                               std::uint64_t first, const FrameObserver& observe = {}) const = 0;
  // What stands for label c of the task, for the record ("prompt", "base class c mod 102", ...).
  virtual std::string class_rule() const = 0;
};

// For every method that generates. `base` must outlive the adapter. `instances`: training images,
// where the run's generator is told them.
std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes, std::int64_t instances = 0,
                                      torch::Device device = torch::kCPU);

// The type that the transformer of a run computes in: its weights and activations. What is trained,
// the optimiser and the loss stay float32.
torch::ScalarType compute_type(const experiments::RunConfig& run);

}  // namespace marquee::workers
