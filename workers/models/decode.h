// Iterative parallel decoding of the masked transformer (MaskGIT), steps 1-4 of the official
// sampler.
//
// The network and the noise come in as callbacks: golden tests replay stored noise, production
// draws it from Philox streams keyed by (seed, image, step), so an image does not depend on its
// batch. Proven by tests/workers/decode_golden_test.cpp (decode.h5) and decode_test.cpp.
//
// Everything stays on the device of the ids; the host reads from it once, before the first step, so
// that on a GPU the loop runs ahead and draws noise while the network works.
#pragma once

#include <cstdint>
#include <functional>

#include "workers/models/masking.h"
#include "workers/torch.h"

namespace marquee::workers {

struct DecodeOptions {
  std::int64_t steps = 12;
  float choice_temperature = 4.5F;
  MaskSchedule schedule;
  std::int64_t start_step = 0;
};

// ids int64 [B, P] with -1 for unknown -> logits float32 [B, P, K].
using LogitsFunction = std::function<Tensor(const Tensor& ids, std::int64_t step)>;

struct DecodeNoise {
  Tensor sample;  // standard Gumbel [B, P, K]
  Tensor choice;  // standard Gumbel [B, P]
};
using NoiseFunction = std::function<DecodeNoise(std::int64_t step)>;

// Everything that one step computed, for tests and for film strips.
struct DecodeStep {
  std::int64_t step = 0;
  Tensor input_ids;    // int64 [B, P]
  Tensor sampled_ids;  // int64 [B, P], known ids kept
  Tensor probability;  // float32 [B, P], softmax probability of the sampled id
  Tensor confidence;   // float32 [B, P], +inf where the id was known
  Tensor mask;         // bool [B, P], true where the id returns to -1
  Tensor mask_count;   // int64 [B]
};
using DecodeObserver = std::function<void(const DecodeStep&)>;

// `initial_ids` int64 [B, P], -1 where unknown; logits and noise must come on their device. Returns
// the sampled ids of the last step, int64 [B, P].
Tensor decode_tokens(const DecodeOptions& options, const Tensor& initial_ids,
                     const LogitsFunction& logits, const NoiseFunction& noise,
                     const DecodeObserver& observe = {});

// Noise for images first..first+B-1 of a seed: stream (seed, purpose, step, image) each. Made on
// the CPU, by several threads where at::get_num_threads says so, and copied to `device` without
// waiting.
DecodeNoise philox_noise(std::uint64_t seed, std::uint64_t first_image, std::int64_t batch,
                         std::int64_t step, std::int64_t positions, std::int64_t codes,
                         torch::Device device = torch::kCPU);

}  // namespace marquee::workers
