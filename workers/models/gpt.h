// The autoregressive (decoder-only) transformer of taming-transformers: pre-LN blocks, learned
// positions, one table for class ids and codes, untied head without bias.
//
// Weights are named as in the published state dict without "transformer."
// ("blocks.0.attn.key.weight"); linear weights are [out, in]. Source: the official code as recorded
// in tiny_gpt.h5 and tiny_net2net.h5 (tests/workers/gpt_golden_test.cpp). Works in the type of its
// parameters (float32, bfloat16). Thread safe: nothing is stored but in the cache that the caller
// owns.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

struct GptConfig {
  std::int64_t width = 1536;      // D
  std::int64_t layers = 48;       // L
  std::int64_t heads = 24;        // H, divides D; visible in no weight
  std::int64_t mlp = 6144;        // M
  std::int64_t codebook = 16384;  // V: rows of the table and of the head
  std::int64_t block_size =
      256;  // learned positions; at least N: a class and all tokens but the last
  std::int64_t classes = 1000;  // of pretraining; class c is fed as id c
  std::int64_t latent = 16;     // grid side
  std::int64_t unmasked = 0;    // the first so many positions see each other both ways

  std::int64_t tokens() const { return latent * latent; }  // N
  bool operator==(const GptConfig&) const = default;
};

ShapeMap gpt_shapes(const GptConfig& config);

// Random weights as the official initialiser draws them: linear layers and the table normal times
// 0.02, positions and biases zero, norms one. Each tensor has its own stream.
ParameterMap init_gpt(const GptConfig& config, std::uint64_t seed,
                      cluster::Purpose purpose = cluster::Purpose::init);

// ids int64 [B, P] (codes or classes) at positions first..first+P-1 -> [B, P, D].
Tensor gpt_embed(const GptConfig& config, const ParameterMap& parameters, const Tensor& ids,
                 std::int64_t first);

// What stands in `parameters` beside gpt_shapes where low-rank additions are tuned: "<projection of
// attention>.lora_a" [r, D] and ".lora_b" [D, r].
ShapeMap gpt_lora_shapes(const GptConfig& config, std::int64_t rank);

// All blocks and the last norm on a whole sequence, [B, P, D]. Every position sees itself and those
// before it; P may exceed the block size, since positions are the embeddings' matter. Stages are
// named as the modules: "blocks.0.ln1", "blocks.0.attn.query", "blocks.0.attn", "blocks.0.ln2",
// "blocks.0.mlp.1" (behind the GELU), "blocks.0.mlp", "blocks.0", "ln_f". `recompute`: blocks keep
// their input alone for the way back (recompute.h).
Tensor gpt_hidden(const GptConfig& config, const ParameterMap& parameters, const Tensor& embeddings,
                  const StageObserver& observe = {}, bool recompute = false);

// Keys and values of what has been fed so far, so that a sequence grows by one token a step.
class KeyValueCache {
 public:
  // For sequences of at most `capacity` positions, in type and on device of `parameters`.
  KeyValueCache(const GptConfig& config, const ParameterMap& parameters, std::int64_t batch,
                std::int64_t capacity);

  std::int64_t length() const { return length_; }
  // [B, H, length, D/H] of a layer.
  Tensor keys(std::int64_t layer) const { return filled(keys_, layer); }
  Tensor values(std::int64_t layer) const { return filled(values_, layer); }

 private:
  friend Tensor gpt_hidden(const GptConfig&, const ParameterMap&, const Tensor&, KeyValueCache&);
  Tensor filled(const std::vector<Tensor>& buffers, std::int64_t layer) const {
    return buffers[static_cast<std::size_t>(layer)].narrow(2, 0, length_);
  }

  std::vector<Tensor> keys_, values_;  // [B, H, capacity, D/H] a layer
  std::int64_t length_ = 0;
};

// The same for the next P positions of a sequence, [B, P, D]. Each sees all of the cache, itself
// and those of the P before it (the official code masks nothing behind a past, which differs for P
// > 1).
Tensor gpt_hidden(const GptConfig& config, const ParameterMap& parameters, const Tensor& embeddings,
                  KeyValueCache& cache);

// Head on [..., D]: [..., V].
Tensor gpt_logits(const ParameterMap& parameters, const Tensor& hidden);

// Logits that predict tokens 0..N-1, [B, N, V], when `prefix` [B, S, D] (prompts, or an embedded
// class) stands in front of `tokens` int64 [B, N]. Token j keeps position 1+j whatever S is
// (`keep_positions`); the last token is not fed.
Tensor gpt_token_logits(const GptConfig& config, const ParameterMap& parameters,
                        const Tensor& prefix, const Tensor& tokens, bool recompute = false);

}  // namespace marquee::workers
