// The autoregressive family on a GPU: parity with the CPU, bfloat16, fused attention, and no
// waiting for the GPU inside a step.
#ifdef MARQUEE_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

#include "tests/workers/gpu_test.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"
#include "workers/models/quantiser.h"
#include "workers/models/vqgan.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

const GptConfig kGptConfig{
    /*width=*/192,   /*layers=*/3,      /*heads=*/3,    /*mlp=*/768,
    /*codebook=*/64, /*block_size=*/64, /*classes=*/10, /*latent=*/8};
constexpr std::int64_t kGptBatch = 4, kPrefix = 16;
constexpr double kParity = 1e-4, kBfloat16 = 0.05;

class AutoregressiveOnGpu : public OnGpu {
 protected:
  Tensor tokens_ =
      torch::arange(kGptBatch * kGptConfig.tokens()).reshape({kGptBatch, -1}) % kGptConfig.codebook;
  ParameterMap weights_ = init_gpt(kGptConfig, 1);
  Tensor prefix_ = [] {
    PhiloxStream stream(2, cluster::Purpose::init);
    return normal_tensor(stream, {kGptBatch, kPrefix, kGptConfig.width});
  }();
};

TEST_F(AutoregressiveOnGpu, LogitsAndLossGradients) {
  Tensor prefix = prefix_.clone().requires_grad_(),
         gpu_prefix = prefix_.to(torch::kCUDA).requires_grad_();
  const auto loss = [&](const ParameterMap& weights, const Tensor& front, const Tensor& tokens) {
    return masked_cross_entropy(gpt_token_logits(kGptConfig, weights, front, tokens), tokens,
                                torch::ones_like(tokens, torch::kFloat32), 0.1)
        .mean();
  };
  const ParameterMap gpu_weights = on_gpu(weights_);
  const Tensor gpu_tokens = tokens_.to(torch::kCUDA);
  EXPECT_LT(deviation(gpt_token_logits(kGptConfig, gpu_weights, gpu_prefix, gpu_tokens),
                      gpt_token_logits(kGptConfig, weights_, prefix, tokens_)),
            kParity);
  loss(weights_, prefix, tokens_).backward();
  loss(gpu_weights, gpu_prefix, gpu_tokens).backward();
  EXPECT_LT(deviation(gpu_prefix.grad(), prefix.grad()), kParity);
}

TEST_F(AutoregressiveOnGpu, Bfloat16StaysNear) {
  const torch::InferenceMode inference;
  const Tensor rough =
      gpt_token_logits(kGptConfig, on_gpu(converted(weights_, torch::kBFloat16)),
                       prefix_.to(torch::kCUDA, torch::kBFloat16), tokens_.to(torch::kCUDA));
  EXPECT_LT(deviation(rough, gpt_token_logits(kGptConfig, weights_, prefix_, tokens_)), kBfloat16);
}

TEST_F(AutoregressiveOnGpu, AttentionNeedsNoUnfusedKernel) {
  const torch::InferenceMode inference;
  at::globalContext().setSDPUseMath(false);
  const ParameterMap weights = on_gpu(converted(weights_, torch::kBFloat16));
  const Tensor prefix = prefix_.to(torch::kCUDA, torch::kBFloat16);
  EXPECT_NO_THROW(gpt_token_logits(kGptConfig, weights, prefix, tokens_.to(torch::kCUDA)));
  at::globalContext().setSDPUseMath(true);
}

TEST_F(AutoregressiveOnGpu, DecodesTheIdsOfTheCpuWithoutWaiting) {
  const torch::InferenceMode inference;
  const Tensor uniform = philox_uniform(3, 0, kGptBatch, kGptConfig.tokens());
  const auto decode = [&](const ParameterMap& weights, torch::Device device) {
    const Tensor prefix = prefix_.to(device);
    const NextLogits next = cached_logits(kGptConfig, weights, prefix, kGptConfig.tokens());
    return decode_sequence(
        {1.0, 20, 0.95}, torch::empty({kGptBatch, 0}, torch::dtype(torch::kInt64).device(device)),
        uniform, [&](const Tensor& now) {
#ifdef MARQUEE_CUDA
          // From the first step on; what comes before it is copied here.
          if (device.is_cuda()) {
            c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
          }
#endif
          return next(now);
        });
  };
  const Tensor expected = decode(weights_, torch::kCPU);
  const Tensor actual = decode(on_gpu(weights_), torch::kCUDA);
#ifdef MARQUEE_CUDA
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
#endif
  // A draw next to the border between two ids may fall on the other side.
  const double same =
      (actual.to(torch::kCPU) == expected).to(torch::kFloat64).mean().item<double>();
  EXPECT_GT(same, 0.9);
}

TEST_F(AutoregressiveOnGpu, TokenizerGivesTheIdsAndImagesOfTheCpu) {
  const torch::InferenceMode inference;
  const VqganConfig config{32, {1, 2}, 1, {16}, 16, 16, 64, 32};
  ParameterMap weights;
  std::uint64_t index = 0;
  for (const auto& [name, shape] : vqgan_shapes(config)) {
    PhiloxStream stream(4, cluster::Purpose::init, 0, index++);
    weights[name] = normal_tensor(stream, shape) * 0.1;
  }
  PhiloxStream stream(5, cluster::Purpose::init);
  const Tensor images = uniform_tensor(stream, {2, 3, 32, 32}) * 2 - 1;
  const ParameterMap gpu_weights = on_gpu(weights);
  const Tensor encoded = vqgan_encode(config, weights, images),
               gpu_encoded = vqgan_encode(config, gpu_weights, images.to(torch::kCUDA));
  EXPECT_LT(deviation(gpu_encoded, encoded), kParity);
  const char* codebook = "quantize.embedding.weight";
  const Quantised quantised = quantise(weights.at(codebook), encoded);
  EXPECT_LT(deviation(vqgan_decode(config, gpu_weights, quantised.vectors.to(torch::kCUDA)),
                      vqgan_decode(config, weights, quantised.vectors)),
            kParity);
}

}  // namespace
}  // namespace marquee::workers
