// How a method adapts the base: what it trains, its loss on masked tokens, and the logits it
// samples from.
#pragma once

#include <memory>

#include "experiments/run_config.h"
#include "workers/base_model.h"

namespace marquee::workers {

// Rows of a batch, or of a micro-batch of it.
struct TuningBatch {
  Tensor targets;  // int64 [B, N]
  Tensor ids;      // int64 [B, N], -1 where masked
  Tensor weights;  // float32 [B, N], 1 where masked
  Tensor labels;   // int64 [B]
  Tensor dropout;  // float32 [B, S, D] factors for prompts; undefined where the method has none
};

class Adapter {
 public:
  virtual ~Adapter() = default;

  // Leaves that require a gradient; empty for method none.
  virtual ParameterMap& trained() = 0;
  // Loss of each row, float32 [B].
  virtual Tensor sample_losses(const TuningBatch& batch, double label_smoothing) const = 0;
  // S, D of the dropout factors; {0, 0} where there is no dropout.
  virtual std::pair<std::int64_t, std::int64_t> dropout_shape() const { return {0, 0}; }
  // Ids that decoding starts from, int64 [B, 1+N], -1 for unknown. With prompts the class slot is
  // unknown too and counts among the unknown, as in the official sampler; else it holds the class.
  virtual Tensor initial_ids(const Tensor& labels) const = 0;
  // ids int64 [B, 1+N] -> logits float32 [B, 1+N, K].
  virtual Tensor decode_logits(const Tensor& ids, const Tensor& labels) const = 0;
  // What stands for label c of the task, for the record ("prompt", "base class c mod 102", ...).
  virtual std::string class_rule() const = 0;
};

// For prompt, finetune, scratch and none. `base` must outlive the adapter.
std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes);

}  // namespace marquee::workers
