// Decoding with the key/value cache beside the growing prefix computed anew for every token: 12
// layers, width 768, block size 256, batch 8. The prefix is timed at every 64th length and its cost
// taken as even between them.
#include "tests/benchmarks/interleaved.h"
#include "workers/models/autoregressive_decode.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kBatch = 8, kStride = 64;
const GptConfig kSizes{768, 12, 12, 3072, 1024, 256, 1000, 16};

// Counter: time of the growing prefix / time with the cache (asked: 15).
void cached_decode(benchmark::State& state) {
  const torch::InferenceMode inference;
  const ParameterMap weights =
      converted(init_gpt(kSizes, 1), state.range(0) == 0 ? torch::kFloat32 : torch::kBFloat16);
  const Tensor prefix = gpt_embed(kSizes, weights, torch::zeros({kBatch, 1}, torch::kInt64), 0);
  const auto cached = [&] {
    decode_sequence({}, torch::empty({kBatch, 0}, torch::kInt64),
                    philox_uniform(1, 0, kBatch, kSizes.tokens()),
                    cached_logits(kSizes, weights, prefix, kSizes.tokens()));
  };
  // Logits of the next token behind `known` of them.
  const auto anew = [&](std::int64_t known) {
    const Tensor tokens = torch::zeros({kBatch, known}, torch::kInt64);
    const Tensor fed = at::cat({prefix, gpt_embed(kSizes, weights, tokens, 1)}, 1);
    gpt_logits(weights, gpt_hidden(kSizes, weights, fed).select(1, known));
  };
  cached();
  anew(kSizes.tokens() - 1);
  Turns speedup;
  for (auto _ : state) {
    const double with_cache = seconds_of(cached);
    double without = 0;
    for (std::int64_t known = kStride / 2; known < kSizes.tokens(); known += kStride)
      without += kStride * seconds_of([&] { anew(known); });
    speedup.add(without / with_cache);
    state.SetIterationTime(with_cache);
  }
  speedup.report(state, "cache_speedup");
}

BENCHMARK(cached_decode)
    ->ArgNames({"bf16"})
    ->Arg(0)
    ->Arg(1)
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace marquee::workers
