#include "workers/models/prompt_generator.h"

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kPromptEpsilon = 1e-12;
constexpr float kPromptInitScale = 0.02F;

constexpr const char* kClasses = "prompt_embeddings/embedding";
constexpr const char* kInstances = "prompt_instance_embeddings/embedding";
constexpr const char* kPositions = "prompt_position_embeddings/embedding";
constexpr const char* kFactors = "prompt_factors/embedding";
constexpr const char* kScale = "prompt_embeddings_ln/scale";
constexpr const char* kBias = "prompt_embeddings_ln/bias";
constexpr const char* kHiddenKernel = "prompt_embedding_hidden_mapping/kernel";
constexpr const char* kHiddenBias = "prompt_embedding_hidden_mapping/bias";

// Rows of a table [R, ...]: [B, ...].
Tensor rows_of(const Tensor& table, const Tensor& rows) {
  std::vector<std::int64_t> shape = table.sizes().vec();
  shape[0] = rows.size(0);
  return at::embedding(table.flatten(1), rows).reshape(shape);
}

// The class term, with the instance's behind it: [B, 1, D], [B, F, D] or [B, S, D] by kind.
Tensor identifier_term(const PromptConfig& config, const ParameterMap& parameters,
                       const Identifiers& identifiers) {
  MARQUEE_CHECK(identifiers.classes.defined() && identifiers.classes.dim() == 1,
                "prompt_tokens: classes must be [B]");
  Tensor term = rows_of(parameters.at(kClasses), identifiers.classes);
  if (term.dim() == 2) term = term.unsqueeze(1);
  if (config.instances == 0 || !identifiers.instances.defined()) return term;
  const Tensor known = (identifiers.instances >= 0).to(term.scalar_type());
  Tensor instances = rows_of(parameters.at(kInstances), identifiers.instances.clamp_min(0));
  if (instances.dim() == 2) instances = instances.unsqueeze(1);
  return term + instances * known.reshape({-1, 1, 1});
}

}  // namespace

ShapeMap prompt_shapes(const PromptConfig& config) {
  const std::int64_t width = config.width;
  ShapeMap shapes{{kScale, {width}}, {kBias, {width}}};
  const auto table = [&](std::int64_t rows) -> std::vector<std::int64_t> {
    if (config.kind == PromptKind::factorised) return {rows, config.factors, width};
    return {rows, width};
  };
  if (config.kind == PromptKind::free) {
    shapes[kClasses] = {config.classes, config.length, width};
  } else {
    shapes[kClasses] = table(config.classes);
    shapes[kPositions] = {config.length, width};
  }
  if (config.kind == PromptKind::factorised) shapes[kFactors] = {config.length, config.factors};
  if (config.instances > 0) shapes[kInstances] = table(config.instances);
  if (config.hidden > 0) {
    shapes[kHiddenKernel] = {width, config.hidden};
    shapes[kHiddenBias] = {config.hidden};
  }
  return shapes;
}

ParameterMap init_prompt_generator(const PromptConfig& config, std::uint64_t seed,
                                   cluster::Purpose purpose) {
  return initial_parameters(
      prompt_shapes(config), seed, purpose,
      [&](const std::string& name, const auto& shape, PhiloxStream& stream) {
        Tensor values = truncated_normal_tensor(stream, shape, kPromptInitScale);
        // At first every position takes the mean of the factors.
        return name == kFactors ? values + 1.0 / static_cast<double>(config.factors) : values;
      });
}

Identifiers Identifiers::to(torch::Device device) const {
  const auto move = [&](const Tensor& ids) {
    return ids.defined() ? ids.to(device, /*non_blocking=*/true) : ids;
  };
  return {move(classes), move(instances)};
}

Tensor prompt_embeddings(const PromptConfig& config, const ParameterMap& parameters,
                         const Identifiers& identifiers) {
  const Tensor term = identifier_term(config, parameters, identifiers);
  if (config.kind == PromptKind::free) return term;
  const Tensor places = parameters.at(kPositions).unsqueeze(0);
  if (config.kind == PromptKind::additive) return term + places;
  return at::matmul(parameters.at(kFactors), term) + places;
}

Tensor finish_prompts(const PromptConfig& config, const ParameterMap& parameters,
                      const Tensor& embeddings, const Tensor& dropout) {
  Tensor prompts = at::layer_norm(embeddings, {config.width}, parameters.at(kScale),
                                  parameters.at(kBias), kPromptEpsilon);
  if (config.hidden > 0)
    prompts = at::matmul(prompts, parameters.at(kHiddenKernel)) + parameters.at(kHiddenBias);
  return dropout.defined() ? prompts * dropout : prompts;
}

Tensor prompt_tokens(const PromptConfig& config, const ParameterMap& parameters,
                     const Identifiers& identifiers, const Tensor& dropout) {
  return finish_prompts(config, parameters, prompt_embeddings(config, parameters, identifiers),
                        dropout);
}

}  // namespace marquee::workers
