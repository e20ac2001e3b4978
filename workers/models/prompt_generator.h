// The additive prompt generator of the official code: LayerNorm(class embedding + position
// embedding), optionally a Dense, dropout while training. Proven by tiny_transformer.h5
// (`prompt/S*`, `prompt_hidden`).
#pragma once

#include <cstdint>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

struct PromptConfig {
  std::int64_t classes = 0;  // C
  std::int64_t length = 0;   // S
  std::int64_t width = 0;    // D of the base
  std::int64_t hidden = 0;   // 0: no Dense behind the LayerNorm, else its outputs (must be D)
  bool operator==(const PromptConfig&) const = default;
};

// (C + S + 2) * D numbers, plus D*H + H with the Dense.
ShapeMap prompt_shapes(const PromptConfig& config);

// Tables and kernel normal truncated at two deviations times 0.02; norm one, biases zero.
ParameterMap init_prompt_generator(const PromptConfig& config, std::uint64_t seed,
                                   cluster::Purpose purpose = cluster::Purpose::init);

// labels int64 [B] in [0, C) -> prompts [B, S, D]. `dropout`: factors [B, S, D] (0 or 1 / keep
// rate) that the prompts are multiplied with while training; undefined for none.
Tensor prompt_tokens(const PromptConfig& config, const ParameterMap& parameters,
                     const Tensor& labels, const Tensor& dropout = {});

}  // namespace marquee::workers
