#include "tests/benchmarks/plain_step.h"

#include <cmath>

namespace marquee::workers {
namespace {

constexpr double kEpsilon = 1e-12;

}  // namespace

PlainStep::PlainStep(const TransformerConfig& config, const PromptConfig& generator,
                     const ParameterMap& weights, const ParameterMap& prompt)
    : config_(config),
      generator_(generator),
      weights_(weights),
      prompt_(trainable_copy(prompt)),
      adam_(init_adamw(prompt_)) {}

Tensor PlainStep::hidden(const Tensor& prompts, const Tensor& ids) const {
  const std::int64_t width = config_.width, heads = config_.heads;
  const auto at = [&](const std::string& name) { return weights_.at(name); };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    return torch::layer_norm(x, {width}, at(name + "/scale"), at(name + "/bias"), kEpsilon);
  };
  const auto dense = [&](const Tensor& x, const std::string& name) {
    return torch::matmul(x, at(name + "/kernel").reshape({x.size(-1), -1})) +
           at(name + "/bias").reshape({-1});
  };
  const Tensor rows = torch::where(ids < 0, ids + config_.vocabulary(), ids);
  const Tensor words = torch::embedding(at("Embed_0/word_embeddings/embedding"), rows);
  const Tensor places = at("Embed_0/position_embeddings/embedding").narrow(0, 1, config_.tokens());
  Tensor x = torch::cat({prompts, norm(words + places, "Embed_0/embeddings_ln")}, 1);
  const std::int64_t batch = x.size(0), length = x.size(1);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const std::string layer = "TransformerLayer_" + std::to_string(i);
    const std::string attention = layer + "/Attention_0/self_attention";
    const auto split = [&](const char* part) {
      return dense(x, attention + part).view({batch, length, heads, width / heads}).transpose(1, 2);
    };
    const Tensor query = split("/query"), key = split("/key"), value = split("/value");
    const Tensor scores =
        torch::matmul(query, key.transpose(-1, -2)) / std::sqrt(static_cast<double>(width / heads));
    const Tensor mixed = torch::matmul(torch::softmax(scores, -1), value)
                             .transpose(1, 2)
                             .reshape({batch, length, width});
    x = norm(x + dense(mixed, attention + "/out"), layer + "/Attention_0/attention_output_ln");
    const Tensor inner = torch::gelu(dense(x, layer + "/Mlp_0/intermediate_output"), "tanh");
    x = norm(x + dense(inner, layer + "/Mlp_0/layer_output"), layer + "/Mlp_0/layer_output_ln");
  }
  return x;
}

Tensor PlainStep::run(const TuningBatch& batch, std::int64_t first, std::int64_t count,
                      std::int64_t batch_size) {
  constexpr double kSmoothing = 0.1;
  const auto rows = [&](const Tensor& all) { return all.narrow(0, first, count); };
  const Tensor classes =
      torch::embedding(prompt_.at("prompt_embeddings/embedding"), rows(batch.identifiers.classes))
          .unsqueeze(1);
  Tensor prompts = torch::layer_norm(
      classes + prompt_.at("prompt_position_embeddings/embedding").unsqueeze(0), {generator_.width},
      prompt_.at("prompt_embeddings_ln/scale"), prompt_.at("prompt_embeddings_ln/bias"), kEpsilon);
  if (batch.dropout.defined()) prompts = prompts * rows(batch.dropout);
  const Tensor ids = rows(batch.ids), targets = rows(batch.targets);
  const Tensor all = hidden(prompts, ids).narrow(1, generator_.length, config_.tokens());
  const auto at = [&](const std::string& name) { return weights_.at("MlmLayer_0/" + name); };
  Tensor x = torch::gelu(torch::matmul(all, at("mlm_dense/kernel")) + at("mlm_dense/bias"), "tanh");
  x = torch::layer_norm(x, {config_.width}, at("mlm_ln/scale"), at("mlm_ln/bias"), kEpsilon);
  const Tensor table = weights_.at("Embed_0/word_embeddings/embedding");
  const Tensor logits = (torch::matmul(x, table.transpose(0, 1)) + at("mlm_bias/bias"))
                            .narrow(2, 0, config_.codebook);
  const auto codes = static_cast<double>(config_.codebook);
  const Tensor wanted =
      torch::one_hot(targets, config_.codebook).to(torch::kFloat32) * (1.0 - kSmoothing) +
      kSmoothing / codes;
  const Tensor losses = -(wanted * torch::log_softmax(logits, -1)).sum(-1);
  const Tensor masked = (ids == -1).to(torch::kFloat32);
  const Tensor loss =
      ((losses * masked).sum(1) / masked.sum(1)).sum() / static_cast<double>(batch_size);
  loss.backward();
  return loss.detach();
}

void PlainStep::update() {
  ParameterMap gradients;
  for (auto& [name, leaf] : prompt_) gradients[name] = leaf.grad();
  adamw_step(prompt_, gradients, adam_, /*rate=*/0.0);
  for (auto& [name, leaf] : prompt_) leaf.mutable_grad() = Tensor();
}

}  // namespace marquee::workers
