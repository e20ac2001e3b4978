// The tokenizer's two halves beside their convolutions alone (same shapes and type).
#include "tests/benchmarks/interleaved.h"
#include "workers/models/tokenizer.h"

namespace marquee::workers {
namespace {

struct Convolution {
  Tensor input, kernel, bias;
};

// The convolutions that some work runs, in its order, with random numbers of the same shapes. Seen
// through LibTorch's own observer, so that they cannot differ from the network's.
std::vector<Convolution> convolutions_of(const std::function<void()>& work) {
  static std::vector<Convolution>* seen = nullptr;
  std::vector<Convolution> result;
  seen = &result;
  const at::CallbackHandle watch = at::addThreadLocalCallback(
      at::RecordFunctionCallback(
          [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
            if (std::string_view(function.name()) != "aten::conv2d") return nullptr;
            const auto random = [&](std::size_t input) {
              const c10::IValue& value = function.inputs()[input];
              return value.isTensor() ? torch::randn_like(value.toTensor()) : Tensor();
            };
            seen->push_back({random(0), random(1), random(2)});
            return nullptr;
          })
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION}));
  work();
  at::removeCallback(watch);
  return result;
}

void beside_convolutions(benchmark::State& state, const std::function<void()>& work) {
  const std::vector<Convolution> convolutions = convolutions_of(work);
  const auto alone = [&] {
    for (const Convolution& convolution : convolutions) {
      const std::int64_t padding = (convolution.kernel.size(2) - 1) / 2;
      at::conv2d(
          convolution.input, convolution.kernel,
          convolution.bias.defined() ? std::optional<Tensor>(convolution.bias) : std::nullopt,
          /*stride=*/1, padding);
    }
  };
  alone();
  Turns share;
  for (auto _ : state) {
    const double convolution_seconds = seconds_of(alone), seconds = seconds_of(work);
    share.add(convolution_seconds / seconds);
    state.SetIterationTime(seconds);
  }
  share.report(state, "conv_share");
}

TokenizerConfig config_of(const benchmark::State& state) {
  if (state.range(0) != 0) return {};
  return {48, {1, 1, 1, 1}, 1, 32, 1024, 64, 4};
}
ParameterMap weights_of(const benchmark::State& state) {
  return converted(init_tokenizer(config_of(state), 1),
                   state.range(2) == 0 ? torch::kFloat32 : torch::kBFloat16);
}

void tokenizer_encode(benchmark::State& state) {
  const torch::InferenceMode inference;
  const TokenizerConfig config = config_of(state);
  const ParameterMap weights = weights_of(state);
  const Tensor images = torch::rand({state.range(1), 3, config.image_size, config.image_size})
                            .to(weights.begin()->second.scalar_type());
  beside_convolutions(
      state, [&] { quantise(weights.at("quantizer/codebook"), encode(config, weights, images)); });
}

void tokenizer_decode(benchmark::State& state) {
  const torch::InferenceMode inference;
  const TokenizerConfig config = config_of(state);
  const ParameterMap weights = weights_of(state);
  const Tensor ids = torch::randint(
      config.codebook, {state.range(1), config.latent() * config.latent()}, torch::kInt64);
  beside_convolutions(state, [&] { decode_ids(config, weights, ids); });
}

// MaskGIT's is 256x256, the mini base's 64x64.
void tokenizer_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"maskgit256", "batch", "bf16"})
      ->Unit(benchmark::kMillisecond)
      ->UseManualTime();
  for (const int type : {0, 1}) benchmark->Args({0, 8, type})->Args({1, 1, type});
}
BENCHMARK(tokenizer_encode)->Apply(tokenizer_sizes)->Iterations(5);
BENCHMARK(tokenizer_decode)->Apply(tokenizer_sizes)->Iterations(5);

}  // namespace
}  // namespace marquee::workers
