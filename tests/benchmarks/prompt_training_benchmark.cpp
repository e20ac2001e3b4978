// One step of prompt tuning (forward, loss, backward to the prompts, AdamW) beside its products.
#include "tests/benchmarks/interleaved.h"
#include "tests/benchmarks/masked_setup.h"
#include "tests/benchmarks/products.h"
#include "workers/models/adamw.h"
#include "workers/models/loss.h"

namespace marquee::workers {
namespace {

void prompt_training(benchmark::State& state) {
  const MaskedSetup setup(state);
  const auto type = state.range(3) == 0 ? torch::kFloat32 : torch::kBFloat16;
  const ParameterMap weights = converted(setup.weights, type);
  ParameterMap prompt = trainable_copy(converted(setup.prompt_weights, type));
  AdamWState adam = init_adamw(prompt);
  Products products(input_training_products(setup.config, setup.batch, setup.prompts), type);
  const Tensor targets =
      torch::randint(setup.config.codebook, {setup.batch, setup.config.positions()}, torch::kInt64);
  const Tensor masked = (torch::rand(targets.sizes()) < 0.6).to(torch::kFloat32);
  const Tensor ids = torch::where(masked > 0, -1, targets);
  const auto step = [&] {
    for (auto& [name, leaf] : prompt) leaf.mutable_grad() = Tensor();
    masked_cross_entropy(setup.logits(weights, prompt, ids), targets, masked, 0.1)
        .mean()
        .backward();
    ParameterMap gradients;
    for (const auto& [name, leaf] : prompt) gradients[name] = leaf.grad();
    adamw_step(prompt, gradients, adam, 1e-3);
  };
  products.seconds();
  step();
  Turns share;
  for (auto _ : state) {
    const double product_seconds = products.seconds(), step_seconds = seconds_of(step);
    share.add(product_seconds / step_seconds);
    state.SetIterationTime(step_seconds);
  }
  share.report(state, "gemm_share");
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"maskgit256", "batch", "prompts", "bf16"})
      ->Unit(benchmark::kMillisecond)
      ->UseManualTime();
  for (const int type : {0, 1}) benchmark->Args({0, 32, 8, type})->Args({1, 8, 32, type});
}
BENCHMARK(prompt_training)->Apply(sizes)->Iterations(5);

}  // namespace
}  // namespace marquee::workers
