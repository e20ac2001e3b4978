// Metrics at the sizes of a paper: seconds, beside which tests/benchmarks/metrics.py runs the
// field's tools in the same minutes.
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "analysis/metrics/frechet.h"
#include "analysis/metrics/manifold.h"
#include "cluster/host.h"
#include "tests/fixtures/inception_weights.h"
#include "workers/features/inception_input.h"
#include "workers/models/inception.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kWidth = 2048;

Tensor features(std::int64_t rows, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({rows, kWidth}).clamp_min_(0).add_(torch::randn({rows, kWidth}), 0.1);
}

// Argument: images; fewer than 2,048 leave the covariances singular.
void frechet_from_statistics(benchmark::State& state) {
  const auto a = analysis::feature_statistics(features(state.range(0), 1)),
             b = analysis::feature_statistics(features(state.range(0), 2));
  analysis::frechet_distance(a, b);  // threads are started
  for (auto _ : state) benchmark::DoNotOptimize(analysis::frechet_distance(a, b));
}
void frechet_from_features(benchmark::State& state) {
  const Tensor a = features(state.range(0), 1), b = features(state.range(0), 2);
  for (auto _ : state) benchmark::DoNotOptimize(analysis::frechet_distance(a, b));
}
// Precision, recall, density and coverage in one pass.
void manifold(benchmark::State& state) {
  const Tensor a = features(state.range(0), 1), b = features(state.range(0), 2);
  for (auto _ : state) benchmark::DoNotOptimize(analysis::manifold_metrics(a, b));
  state.counters["peak_MB"] = static_cast<double>(cluster::peak_memory_bytes()) / 1e6;
}

// Argument: bf16. Images of 32 x 32 by torch-fidelity's rule.
void inception(benchmark::State& state) {
  constexpr std::int64_t kImages = 32;
  const torch::InferenceMode inference;
  const Inception network(fixtures::inception_weights(1), "formula",
                          state.range(0) != 0 ? torch::kBFloat16 : torch::kFloat32);
  std::vector<datasets::Image> images(kImages,
                                      {32, 32, std::vector<std::uint8_t>(32 * 32 * 3, 90)});
  const auto extract = [&] {
    return network(inception_input(images, {ResizeRule::tf1_bilinear, InputRange::tensorflow}),
                   {"2048"});
  };
  extract();
  for (auto _ : state) benchmark::DoNotOptimize(extract());
  state.counters["images_per_second"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kImages), benchmark::Counter::kIsRate);
}

BENCHMARK(frechet_from_statistics)
    ->Arg(10000)
    ->Arg(1000)
    ->Unit(benchmark::kSecond)
    ->UseRealTime()
    ->Iterations(2);
BENCHMARK(frechet_from_features)
    ->Arg(10000)
    ->Arg(1000)
    ->Unit(benchmark::kSecond)
    ->UseRealTime()
    ->Iterations(1);
// Of MARQUEE_MANIFOLD_ROWS images a side instead, where that is set: minutes at 50,000.
BENCHMARK(manifold)
    ->Apply([](benchmark::internal::Benchmark* timed) {
      const char* rows = std::getenv("MARQUEE_MANIFOLD_ROWS");
      timed->Arg(rows == nullptr ? 10000 : std::stoll(rows));
    })
    ->Unit(benchmark::kSecond)
    ->UseRealTime()
    ->Iterations(1);
BENCHMARK(inception)->Arg(0)->Arg(1)->Unit(benchmark::kSecond)->UseRealTime()->Iterations(3);

}  // namespace
}  // namespace marquee::workers
