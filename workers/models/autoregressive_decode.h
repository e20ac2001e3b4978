// Decoding token by token: temperature, top-k and top-p filters and the draw from what is left.
//
// The network comes in as a callback and the random numbers as a tensor, so golden tests replay
// stored ones. A step never waits for its device. Proven by
// tests/workers/autoregressive_decode_golden_test.cpp (tiny_net2net.h5 `sampling`, `filters`;
// tiny_gpt.h5 `prompt_sampling`).
#pragma once

#include <cstdint>
#include <functional>

#include "workers/models/gpt.h"
#include "workers/torch.h"

namespace marquee::workers {

struct SamplingOptions {
  double temperature = 1.0;  // 0: the most likely id
  std::int64_t top_k = 0;    // 0: all; values equal to the k-th stay
  // The most likely ids whose probabilities before them sum to no more than this; the first always
  // stays. 1: all (the official filter runs at 1 too and cuts what rounding puts above).
  double top_p = 1.0;
};

// float [B, V] -> float32 [B, V], logits over temperature (unless that is 0), -inf where a filter
// removes: top-k first, top-p of what is left.
Tensor filter_logits(const Tensor& logits, const SamplingOptions& options);

// For each row of `probabilities` float32 [B, V] the smallest id whose running sum (float64, in the
// order of the ids) exceeds `uniform` float64 [B] in [0, 1), else the last id that is possible.
// int64 [B].
Tensor pick(const Tensor& probabilities, const Tensor& uniform);

// Logits float [B, V] of the next token, given int64 [B, t] tokens so far.
using NextLogits = std::function<Tensor(const Tensor& tokens)>;

// What one step computed, for tests.
struct SequenceStep {
  std::int64_t step = 0;                   // counts the tokens decoded
  Tensor logits, filtered, probabilities;  // float32 [B, V]
  Tensor picked;                           // int64 [B]
};
using SequenceObserver = std::function<void(const SequenceStep&)>;

// Appends a token for each row of `uniform` float64 [steps, B] in [0, 1) to `known` int64 [B, t]
// (at temperature 0 the numbers do not count). Returns int64 [B, t + steps], on the device of
// `known`.
Tensor decode_sequence(const SamplingOptions& options, const Tensor& known, const Tensor& uniform,
                       const NextLogits& next, const SequenceObserver& observe = {});

// Next logits behind `prefix` [B, S, D] (prompts, or an embedded class), with a key/value cache for
// at most `tokens` of them. Token j has position 1+j. Each call must bring the tokens of the one
// before and at least one more.
NextLogits cached_logits(const GptConfig& config, const ParameterMap& parameters,
                         const Tensor& prefix, std::int64_t tokens);

// float64 [steps, B], for images first..first+B-1 of a seed: stream (seed, decode_sample, step,
// image) each.
Tensor philox_uniform(std::uint64_t seed, std::uint64_t first_image, std::int64_t batch,
                      std::int64_t steps);

}  // namespace marquee::workers
