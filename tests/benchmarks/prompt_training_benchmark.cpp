// A step of prompt tuning as production takes it (batch, generator, forward, loss, backward to the
// prompts, AdamW), beside its matrix products alone and beside plain eager code of the same step;
// and what each of three things is worth: logits at masked positions alone, tokens that are cached,
// bfloat16.
#include "tests/benchmarks/interleaved.h"
#include "tests/benchmarks/masked_setup.h"
#include "tests/benchmarks/plain_step.h"
#include "tests/benchmarks/products.h"
#include "workers/models/tokenizer.h"
#include "workers/tuning/family_model.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

constexpr int kImages = 64;
constexpr std::int64_t kImageSize = 256;

experiments::RunConfig run_of(const MaskedSetup& setup, const char* compute, int micro_batches) {
  experiments::RunConfig run;
  run.method = "prompt";
  run.prompt_length = static_cast<int>(setup.prompts);
  run.batch = static_cast<int>(setup.batch);
  run.micro_batches = micro_batches;
  run.learning_rate = 0;  // random tokens teach nothing
  run.compute = compute;
  run.masking = "per_sample";  // every step about as long as any
  run.flip = false;
  return run;
}

TokenSet random_tokens(const MaskedSetup& setup) {
  TokenSet tokens;
  tokens.classes = static_cast<int>(setup.generator.classes);
  tokens.ids =
      torch::randint(setup.config.codebook, {kImages, 1, 1, setup.config.tokens()}, torch::kInt64);
  tokens.labels = torch::arange(kImages) % tokens.classes;
  return tokens;
}

// Tuning of a run from a base with random weights, step by step.
class Tuner {
 public:
  Tuner(const MaskedSetup& setup, const char* compute, int micro_batches)
      : run_(run_of(setup, compute, micro_batches)), tokens_(random_tokens(setup)) {
    base_.transformer = {setup.config, setup.weights};
    adapter_ = make_adapter(run_, base_, tokens_.classes);
    state_.adam = init_adamw(adapter_->trained());
  }

  double step_seconds() {
    return seconds_of([&] {
      state_.step = 1;  // the same images, masks and dropout every time
      tuning_step(run_, tokens_, *adapter_, alone_, state_);
    });
  }
  // What a step masks, by micro-batch: the products of the head depend on it.
  TuningBatch batch() const { return make_batch(run_, tokens_, *adapter_, 1, 0, run_.batch); }
  Adapter& adapter() { return *adapter_; }
  const experiments::RunConfig& run() const { return run_; }

 private:
  experiments::RunConfig run_;
  TokenSet tokens_;
  BaseModel base_;
  std::unique_ptr<Adapter> adapter_;
  LocalCommunicator alone_;
  TuningState state_;
};

// The yardstick computes the same loss and the same gradients.
bool agrees(PlainStep& plain, Adapter& adapter, const TuningBatch& batch) {
  const std::int64_t rows = batch.targets.size(0);
  const Tensor expected = plain.run(batch, 0, rows, rows);
  const Tensor loss = adapter.sample_losses(batch, 0.1).mean();
  loss.backward();
  bool equal = torch::allclose(loss, expected, 1e-4, 1e-5);
  for (auto& [name, leaf] : adapter.trained())
    equal = equal && torch::allclose(leaf.grad(), plain.trained().at(name).grad(), 1e-2, 1e-5);
  plain.update();
  return equal;
}

// Arguments "maskgit256" (else mini), "batch", "prompts", "micro_batches".
void prompt_training(benchmark::State& state) {
  const MaskedSetup setup(state);
  const auto micro_batches = static_cast<int>(state.range(3));
  Tuner wide(setup, "fp32", micro_batches), narrow(setup, "bf16", micro_batches);
  const std::int64_t rows = setup.batch / micro_batches;
  const std::int64_t masked = wide.batch().positions.size(1);
  const auto products = [&](torch::ScalarType type) {
    return Products(
        scaled(input_training_products(setup.config, rows, setup.prompts, masked), micro_batches),
        type);
  };
  Products wide_products = products(torch::kFloat32), narrow_products = products(torch::kBFloat16);
  PlainStep plain(setup.config, setup.generator, setup.weights, wide.adapter().trained());
  const TuningBatch batch = wide.batch();
  const auto plain_seconds = [&] {
    return seconds_of([&] {
      for (int i = 0; i < micro_batches; ++i) plain.run(batch, i * rows, rows, setup.batch);
      plain.update();
    });
  };
  if (!agrees(plain, wide.adapter(), batch)) {
    state.SkipWithError("the plain step computes something else");
    return;
  }
  wide.step_seconds();  // first touch of all memory
  narrow.step_seconds();
  plain_seconds();
  wide_products.seconds();
  narrow_products.seconds();
  Turns share, narrow_share, speedup, against_plain;
  for (auto _ : state) {
    const double yardstick = wide_products.seconds(), step = wide.step_seconds();
    const double eager = plain_seconds();
    const double narrow_yardstick = narrow_products.seconds(), short_step = narrow.step_seconds();
    share.add(yardstick / step);
    narrow_share.add(narrow_yardstick / short_step);
    speedup.add(step / short_step);
    against_plain.add(eager / step);
    state.SetIterationTime(step);
  }
  share.report(state, "gemm_share");
  narrow_share.report(state, "bf16_gemm_share");
  speedup.report(state, "bf16_speedup");
  against_plain.report(state, "plain_eager_over_ours");
}

// How much longer a step is with logits everywhere, and with tokenising its images.
void prompt_training_gains(benchmark::State& state) {
  const MaskedSetup setup(state);
  Tuner tuner(setup, "fp32", 1);
  const auto model = make_masked_model(setup.config, /*recompute=*/false);
  const TuningBatch masked = tuner.batch();
  TuningBatch everywhere = masked;
  everywhere.positions =
      torch::arange(setup.config.tokens()).expand({setup.batch, -1}).contiguous();
  everywhere.weights = (masked.ids == -1).to(torch::kFloat32);
  const auto seconds = [&](const TuningBatch& batch) {
    return seconds_of([&] {
      for (auto& [name, leaf] : tuner.adapter().trained()) leaf.mutable_grad() = Tensor();
      tuner.adapter().sample_losses(batch, 0.1).mean().backward();
    });
  };
  const TokenizerConfig sizes{};
  const ParameterMap tokenizer = init_tokenizer(sizes, 1);
  const Tensor images = torch::rand({1, 3, kImageSize, kImageSize});
  const auto encode_seconds = [&] {
    const torch::InferenceMode inference;
    return static_cast<double>(setup.batch) * seconds_of([&] { encode(sizes, tokenizer, images); });
  };
  seconds(masked);
  seconds(everywhere);
  encode_seconds();
  Turns everywhere_over_masked, encoding_over_step;
  for (auto _ : state) {
    const double step = seconds(masked);
    everywhere_over_masked.add(seconds(everywhere) / step);
    encoding_over_step.add((step + encode_seconds()) / step);
    state.SetIterationTime(step);
  }
  everywhere_over_masked.report(state, "logits_everywhere_over_masked");
  encoding_over_step.report(state, "tokenising_every_step_over_cached");
}

BENCHMARK(prompt_training)
    ->ArgNames({"maskgit256", "batch", "prompts", "micro_batches"})
    ->Args({0, 32, 8, 2})
    ->Args({1, 8, 32, 1})
    ->Args({1, 32, 32, 2})
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();
BENCHMARK(prompt_training_gains)
    ->ArgNames({"maskgit256", "batch", "prompts"})
    ->Args({1, 8, 32})
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace marquee::workers
