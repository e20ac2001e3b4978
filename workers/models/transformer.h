// The masked (non-autoregressive) transformer of MaskGIT, alone and with prompts in front.
//
// Post-LN encoder over [class slot, N image tokens]; the output matrix is the word table. Source:
// the official code as recorded in tiny_transformer.h5 (tests/workers/transformer_golden_test.cpp).
// Works in the type of its parameters (float32, bfloat16, float64) and on their device. Thread
// safe: nothing is stored.
#pragma once

#include <cstdint>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

struct TransformerConfig {
  std::int64_t width = 768;      // D
  std::int64_t layers = 24;      // L
  std::int64_t heads = 16;       // H, divides D
  std::int64_t mlp = 3072;       // M
  std::int64_t codebook = 1024;  // K
  std::int64_t classes = 1000;   // of pretraining
  std::int64_t latent = 16;      // grid side

  std::int64_t tokens() const { return latent * latent; }             // N
  std::int64_t positions() const { return 1 + tokens(); }             // class slot first
  std::int64_t vocabulary() const { return codebook + classes + 1; }  // codes, classes, mask
  bool operator==(const TransformerConfig&) const = default;
};

ShapeMap transformer_shapes(const TransformerConfig& config);

// Random weights as the official initialiser draws them: kernels and tables normal truncated at two
// deviations times 0.02, biases zero, norms one. Each tensor has its own stream.
ParameterMap init_transformer(const TransformerConfig& config, std::uint64_t seed,
                              cluster::Purpose purpose = cluster::Purpose::init);

// ids int64 [B, 1+N] (slot 0: codebook + class; -1: mask) -> LayerNorm(word + position) [B, 1+N,
// D].
Tensor embed_tokens(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& ids);

// The same with rows [B, D] in the place of the class slot's word; slot 0 of `ids` does not count.
Tensor embed_tokens(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& ids, const Tensor& class_rows);

// What stands in `parameters` beside the names of transformer_shapes where low-rank additions are
// tuned: "<projection of attention>/lora_a" [D, r] and "/lora_b" [r, D], whose product is added to
// the kernel.
ShapeMap lora_shapes(const TransformerConfig& config, std::int64_t rank);

// All layers on [B, P, D]. `recompute`: layers keep their input alone for the way back
// (recompute.h).
Tensor transform(const TransformerConfig& config, const ParameterMap& parameters,
                 const Tensor& embeddings, const StageObserver& observe = {},
                 bool recompute = false);

// Head on [..., D]: logits of the first `outputs` rows of the vocabulary, [..., outputs].
Tensor token_logits(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& hidden, std::int64_t outputs);

// [B, 1+N] -> [B, 1+N, V].
Tensor base_logits(const TransformerConfig& config, const ParameterMap& parameters,
                   const Tensor& ids);

// Prompts [B, S, D] take the place of the embedded class slot: [B, S+N, D].
Tensor prompted_embeddings(const TransformerConfig& config, const ParameterMap& parameters,
                           const Tensor& ids, const Tensor& prompts);
// Hidden states, likewise.
Tensor prompted_hidden(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& ids, const Tensor& prompts);

// The last 1+N positions and first K codes: [B, 1+N, K]. Slot 0 is the last prompt's output.
Tensor prompted_logits(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& ids, const Tensor& prompts);

// Logits of the first K codes at `positions` int64 [B, M], values in [0, N], of the last 1+N hidden
// states [B, P, D]: [B, M, K]. A loss over masked tokens alone needs no other rows of the head.
Tensor token_logits_at(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& hidden, const Tensor& positions);

}  // namespace marquee::workers
