// A step of prompt tuning in plain eager LibTorch, as one writes it from the formulas: attention as
// product, softmax, product; logits and one-hot targets at all positions. The yardstick of what the
// production step gains; nothing else uses it.
#pragma once

#include "workers/models/adamw.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {

class PlainStep {
 public:
  PlainStep(const TransformerConfig& config, const PromptConfig& generator,
            const ParameterMap& weights, const ParameterMap& prompt);

  // Adds the gradients of rows [first, first + count) of a batch of `batch_size`; returns their
  // part of the loss, as the production step computes it (without dropout where `batch` has none).
  Tensor run(const TuningBatch& batch, std::int64_t first, std::int64_t count,
             std::int64_t batch_size);
  // AdamW at rate 0; forgets the gradients.
  void update();

  ParameterMap& trained() { return prompt_; }

 private:
  Tensor hidden(const Tensor& prompts, const Tensor& ids) const;

  TransformerConfig config_;
  PromptConfig generator_;
  ParameterMap weights_, prompt_;
  AdamWState adam_;
};

}  // namespace marquee::workers
