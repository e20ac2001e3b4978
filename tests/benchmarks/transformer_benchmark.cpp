// How much of the machine's matrix-product rate a training step and a decoding step reach: the time
// of the step's matrix products alone (same shapes, same type, same run) over the time of the whole
// step. Sizes: the mini base and MaskGIT-256. The counter `gemm_share` is the answer; times alone
// mean little here.
//
//   marquee_benchmarks --benchmark_filter=mini
#include <chrono>

#include <benchmark/benchmark.h>

#include "workers/models/adamw.h"
#include "workers/models/decode.h"
#include "workers/models/loss.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

const TransformerConfig kMini{192, 6, 6, 768, 1024, 102, 8};
const TransformerConfig kMaskGit256{};
constexpr std::int64_t kMiniPrompts = 8, kMaskGitPrompts = 32;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Mean time of one product [rows, inner] x [inner, columns], `batch` of them.
double product_seconds(std::int64_t batch, std::int64_t rows, std::int64_t inner,
                       std::int64_t columns, torch::ScalarType type) {
  const Tensor a = torch::randn({batch, rows, inner}).to(type),
               b = torch::randn({batch, inner, columns}).to(type);
  Tensor out = torch::empty({batch, rows, columns}, type);
  const auto product = [&] {
    if (batch == 1) {
      Tensor flat = out[0];
      at::mm_out(flat, a[0], b[0]);
    } else {
      at::bmm_out(out, a, b);
    }
  };
  product();
  constexpr int kRepeats = 5;
  return seconds_of([&] {
           for (int i = 0; i < kRepeats; ++i) product();
         }) /
         kRepeats;
}

// Products of one forward pass. A backward pass through a frozen network repeats each once
// (gradient of the input); one that trains the weights repeats it twice.
double forward_product_seconds(const TransformerConfig& config, std::int64_t batch,
                               std::int64_t prompts, torch::ScalarType type) {
  const std::int64_t length = prompts + config.tokens(), rows = batch * length,
                     head = config.width / config.heads;
  const double square = product_seconds(1, rows, config.width, config.width, type);
  const double up = product_seconds(1, rows, config.width, config.mlp, type);
  const double down = product_seconds(1, rows, config.mlp, config.width, type);
  const double scores = product_seconds(batch * config.heads, length, head, length, type);
  const double mixing = product_seconds(batch * config.heads, length, length, head, type);
  const std::int64_t cut = batch * config.positions();
  const double output = product_seconds(1, cut, config.width, config.width, type) +
                        product_seconds(1, cut, config.width, config.codebook, type);
  return static_cast<double>(config.layers) * (4 * square + up + down + scores + mixing) + output;
}

struct Setup {
  Setup(const TransformerConfig& transformer, std::int64_t prompt_length, std::int64_t batch_size,
        torch::ScalarType type)
      : config(transformer),
        generator{10, prompt_length, transformer.width},
        base(converted(init_transformer(transformer, 1), type)),
        prompt(trainable_copy(converted(init_prompt_generator(generator, 1), type))),
        labels(torch::arange(batch_size) % generator.classes),
        targets(torch::randint(transformer.codebook, {batch_size, transformer.positions()},
                               torch::kInt64)),
        weights((torch::rand({batch_size, transformer.positions()}) < 0.6).to(torch::kFloat32)),
        ids(torch::where(weights > 0, -1, targets)) {}

  TransformerConfig config;
  PromptConfig generator;
  ParameterMap base, prompt;
  Tensor labels, targets, weights, ids;
};

const TransformerConfig& config_of(const benchmark::State& state) {
  return state.range(0) == 0 ? kMini : kMaskGit256;
}
std::int64_t prompts_of(const benchmark::State& state) {
  return state.range(0) == 0 ? kMiniPrompts : kMaskGitPrompts;
}
torch::ScalarType type_of(const benchmark::State& state) {
  return state.range(2) == 0 ? torch::kFloat32 : torch::kBFloat16;
}

// One step of prompt tuning: forward, loss, backward to the prompts, AdamW.
void prompt_training_step(benchmark::State& state) {
  const torch::ScalarType type = type_of(state);
  Setup setup(config_of(state), prompts_of(state), state.range(1), type);
  AdamWState adam = init_adamw(setup.prompt);
  const auto step = [&] {
    for (auto& [name, leaf] : setup.prompt) leaf.mutable_grad() = Tensor();
    const Tensor prompts = prompt_tokens(setup.generator, setup.prompt, setup.labels);
    const Tensor logits = prompted_logits(setup.config, setup.base, setup.ids, prompts);
    masked_cross_entropy(logits, setup.targets, setup.weights, 0.1).mean().backward();
    ParameterMap gradients;
    for (const auto& [name, leaf] : setup.prompt) gradients[name] = leaf.grad();
    adamw_step(setup.prompt, gradients, adam, 1e-3);
  };
  step();
  double step_seconds = 0;
  for (auto _ : state) step_seconds += seconds_of(step);
  step_seconds /= static_cast<double>(state.iterations());
  const double products =
      2 * forward_product_seconds(setup.config, state.range(1), prompts_of(state), type);
  state.counters["gemm_share"] = products / step_seconds;
}

// One step of iterative decoding: logits, sampling and choice, noise included.
void decoding_step(benchmark::State& state) {
  const torch::InferenceMode inference;
  const torch::ScalarType type = type_of(state);
  const Setup setup(config_of(state), prompts_of(state), state.range(1), type);
  const Tensor prompts = prompt_tokens(setup.generator, setup.prompt, setup.labels);
  const Tensor unknown = torch::full({state.range(1), setup.config.positions()}, -1, torch::kInt64);
  DecodeOptions options;
  options.steps = 1;
  const auto step = [&] {
    decode_tokens(
        options, unknown,
        [&](const Tensor& ids, std::int64_t) {
          return prompted_logits(setup.config, setup.base, ids, prompts).to(torch::kFloat32);
        },
        [&](std::int64_t at) {
          return philox_noise(1, 0, state.range(1), at, setup.config.positions(),
                              setup.config.codebook);
        });
  };
  step();
  double step_seconds = 0;
  for (auto _ : state) step_seconds += seconds_of(step);
  step_seconds /= static_cast<double>(state.iterations());
  state.counters["gemm_share"] =
      forward_product_seconds(setup.config, state.range(1), prompts_of(state), type) / step_seconds;
}

// {0: mini, 1: MaskGIT-256}, batch, {0: fp32, 1: bf16}
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"maskgit256", "batch", "bf16"})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  for (const int type : {0, 1}) {
    benchmark->Args({0, 32, type});
    benchmark->Args({1, 8, type});
  }
}
BENCHMARK(prompt_training_step)->Apply(sizes);
BENCHMARK(decoding_step)->Apply(sizes);

}  // namespace
}  // namespace marquee::workers

BENCHMARK_MAIN();
