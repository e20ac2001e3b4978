// The masked transformer at the sizes of its benchmarks, with random weights.
#pragma once

#include <benchmark/benchmark.h>

#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {

inline const TransformerConfig kMini{192, 6, 6, 768, 1024, 102, 8};
inline const TransformerConfig kMaskGit256{};

// Arguments "maskgit256" (else mini), "batch", "prompts" (0: the base with its class slot).
struct MaskedSetup {
  explicit MaskedSetup(const benchmark::State& state)
      : config(state.range(0) == 0 ? kMini : kMaskGit256),
        batch(state.range(1)),
        prompts(state.range(2)),
        generator{10, std::max<std::int64_t>(prompts, 1), config.width},
        weights(init_transformer(config, 1)),
        prompt_weights(init_prompt_generator(generator, 1)),
        labels(torch::arange(batch) % generator.classes) {}

  TransformerConfig config;
  std::int64_t batch, prompts;
  PromptConfig generator;
  ParameterMap weights, prompt_weights;
  Tensor labels;

  // Class slot, then nothing known.
  Tensor unknown_ids() const {
    const Tensor ids = torch::full({batch, config.positions()}, -1, torch::kInt64);
    if (prompts == 0) ids.select(1, 0).copy_(labels + config.codebook);
    return ids;
  }
  // As the adapters of production do it, prompts included.
  Tensor logits(const ParameterMap& transformer, const ParameterMap& prompt,
                const Tensor& ids) const {
    if (prompts == 0)
      return token_logits(config, transformer,
                          transform(config, transformer, embed_tokens(config, transformer, ids)),
                          config.codebook);
    return prompted_logits(config, transformer, ids, prompt_tokens(generator, prompt, labels));
  }
};

}  // namespace marquee::workers
