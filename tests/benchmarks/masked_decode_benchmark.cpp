// A whole decode of twelve steps (prompts, logits, noise, sampling, choice) beside its products.
#include <chrono>

#include "tests/benchmarks/interleaved.h"
#include "tests/benchmarks/masked_setup.h"
#include "tests/benchmarks/products.h"
#include "workers/models/decode.h"

namespace marquee::workers {
namespace {

// Products and step take turns within the decode. Counters: `gemm_share`, products / step, the
// median over the steps (asked: 0.75), and `decode_share`, all products / the whole decode.
void masked_decode(benchmark::State& state) {
  const torch::InferenceMode inference;
  const MaskedSetup setup(state);
  const auto type = state.range(3) == 0 ? torch::kFloat32 : torch::kBFloat16;
  const ParameterMap weights = converted(setup.weights, type),
                     prompt = converted(setup.prompt_weights, type);
  Products products(forward_products(setup.config, setup.batch, setup.prompts), type);
  products.seconds();
  setup.logits(weights, prompt, setup.unknown_ids());
  Turns share, whole;
  for (auto _ : state) {
    double product_seconds = 0, all_products = 0, decode_seconds = 0;
    auto start = std::chrono::steady_clock::now();
    const auto end_step = [&] {
      const auto now = std::chrono::steady_clock::now();
      const double seconds = std::chrono::duration<double>(now - start).count();
      decode_seconds += seconds;
      if (product_seconds > 0) share.add(product_seconds / seconds);
    };
    decode_tokens(
        {}, setup.unknown_ids(),
        [&](const Tensor& ids, std::int64_t) {
          end_step();
          product_seconds = products.seconds();
          all_products += product_seconds;
          start = std::chrono::steady_clock::now();
          return setup.logits(weights, prompt, ids).to(torch::kFloat32);
        },
        [&](std::int64_t step) {
          return philox_noise(1, 0, setup.batch, step, setup.config.positions(),
                              setup.config.codebook);
        });
    end_step();
    whole.add(all_products / decode_seconds);
    state.SetIterationTime(decode_seconds);
  }
  share.report(state, "gemm_share");
  whole.report(state, "decode_share");
}

void decode_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"maskgit256", "batch", "prompts", "bf16"})
      ->Unit(benchmark::kMillisecond)
      ->UseManualTime();
  for (const int type : {0, 1}) {
    benchmark->Args({0, 32, 8, type})
        ->Args({0, 32, 0, type})
        ->Args({1, 8, 32, type})
        ->Args({1, 8, 0, type});
  }
}
BENCHMARK(masked_decode)->Apply(decode_sizes)->Iterations(1);

}  // namespace
}  // namespace marquee::workers
