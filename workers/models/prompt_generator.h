// The prompt token generator: identifiers (a class, a training instance, both or neither) to the S
// prompt tokens that stand in front of an image. docs/method.md has the formulas.
//
//   additive    LN(E[c] + P[s]), as the official code has it; proven by tiny_transformer.h5
//               (`prompt/S*`, `prompt_hidden`)
//   factorised  LN(sum over f of a[s,f] E[c,f] + P[s]), ours
//   free        LN(T[c,s]), ours: the upper bound
//
// An instance adds I[i] to the class term. Works in the type and on the device of its parameters.
#pragma once

#include <cstdint>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

enum class PromptKind { additive, factorised, free };

struct PromptConfig {
  std::int64_t classes = 0;  // C; 1 where the generator is told none
  std::int64_t length = 0;   // S
  std::int64_t width = 0;    // D of the base
  std::int64_t hidden = 0;   // 0: no Dense behind the LayerNorm, else its outputs (must be D)
  PromptKind kind = PromptKind::additive;
  std::int64_t factors = 0;    // F of kind factorised
  std::int64_t instances = 0;  // N; 0: the generator is told none
  bool operator==(const PromptConfig&) const = default;
};

// Their numbers together: docs/method.md.
ShapeMap prompt_shapes(const PromptConfig& config);

// Tables and kernel normal truncated at two deviations times 0.02; norm one, biases zero; factors
// 1/F more.
ParameterMap init_prompt_generator(const PromptConfig& config, std::uint64_t seed,
                                   cluster::Purpose purpose = cluster::Purpose::init);

// What B images are asked for.
struct Identifiers {
  // NOLINTNEXTLINE(google-explicit-constructor): a class alone is the usual case
  Identifiers(Tensor all_classes = {}, Tensor all_instances = {})
      : classes(std::move(all_classes)), instances(std::move(all_instances)) {}

  // Does not wait for the copy.
  Identifiers to(torch::Device device) const;

  Tensor classes;    // int64 [B] in [0, C)
  Tensor instances;  // int64 [B] in [0, N), -1: left out; undefined: left out everywhere
};

// Behind class, instance and position, before the LayerNorm: [B, S, D].
Tensor prompt_embeddings(const PromptConfig& config, const ParameterMap& parameters,
                         const Identifiers& identifiers);

// Embeddings [B, S, D] -> prompts [B, S, D]. `dropout`: factors [B, S, D] (0 or 1 / keep rate) that
// the prompts are multiplied with while training; undefined for none.
Tensor finish_prompts(const PromptConfig& config, const ParameterMap& parameters,
                      const Tensor& embeddings, const Tensor& dropout = {});

// Both.
Tensor prompt_tokens(const PromptConfig& config, const ParameterMap& parameters,
                     const Identifiers& identifiers, const Tensor& dropout = {});

}  // namespace marquee::workers
