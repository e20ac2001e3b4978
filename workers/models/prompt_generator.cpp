#include "workers/models/prompt_generator.h"

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kLayerNormEpsilon = 1e-12;
constexpr float kInitScale = 0.02F;

}  // namespace

ShapeMap prompt_shapes(const PromptConfig& config) {
  ShapeMap shapes{{"prompt_embeddings/embedding", {config.classes, config.width}},
                  {"prompt_position_embeddings/embedding", {config.length, config.width}},
                  {"prompt_embeddings_ln/scale", {config.width}},
                  {"prompt_embeddings_ln/bias", {config.width}}};
  if (config.hidden > 0) {
    shapes["prompt_embedding_hidden_mapping/kernel"] = {config.width, config.hidden};
    shapes["prompt_embedding_hidden_mapping/bias"] = {config.hidden};
  }
  return shapes;
}

ParameterMap init_prompt_generator(const PromptConfig& config, std::uint64_t seed,
                                   cluster::Purpose purpose) {
  return initial_parameters(prompt_shapes(config), seed, purpose,
                            [](const std::string&, const auto& shape, PhiloxStream& stream) {
                              return truncated_normal_tensor(stream, shape, kInitScale);
                            });
}

Tensor prompt_tokens(const PromptConfig& config, const ParameterMap& parameters,
                     const Tensor& labels, const Tensor& dropout) {
  MARQUEE_CHECK(labels.dim() == 1, "prompt_tokens: labels must be [B]");
  const Tensor classes =
      at::embedding(parameters.at("prompt_embeddings/embedding"), labels).unsqueeze(1);
  const Tensor places = parameters.at("prompt_position_embeddings/embedding").unsqueeze(0);
  Tensor prompts =
      at::layer_norm(classes + places, {config.width}, parameters.at("prompt_embeddings_ln/scale"),
                     parameters.at("prompt_embeddings_ln/bias"), kLayerNormEpsilon);
  if (config.hidden > 0) {
    prompts = at::matmul(prompts, parameters.at("prompt_embedding_hidden_mapping/kernel")) +
              parameters.at("prompt_embedding_hidden_mapping/bias");
  }
  return dropout.defined() ? prompts * dropout : prompts;
}

}  // namespace marquee::workers
