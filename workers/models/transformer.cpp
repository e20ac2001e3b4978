#include "workers/models/transformer.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "workers/models/recompute.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kLayerNormEpsilon = 1e-12;
constexpr float kInitScale = 0.02F;
constexpr const char *kLoraA = "/lora_a", *kLoraB = "/lora_b";

// Dense layer with a kernel whose leading dimensions make up the input width (kernels of attention
// are stored with heads apart).
Tensor dense(const Tensor& x, const ParameterMap& parameters, const std::string& name) {
  const Tensor kernel = parameters.at(name + "/kernel").reshape({x.size(-1), -1});
  const Tensor rows = x.reshape({-1, x.size(-1)});
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = kernel.size(1);
  Tensor y = at::addmm(parameters.at(name + "/bias").reshape({-1}), rows, kernel);
  if (const auto low = parameters.find(name + kLoraA); low != parameters.end())
    y = at::addmm(y, at::mm(rows, low->second), parameters.at(name + kLoraB));
  return y.reshape(shape);
}

Tensor layer_norm(const Tensor& x, const ParameterMap& parameters, const std::string& name) {
  return at::layer_norm(x, {x.size(-1)}, parameters.at(name + "/scale"),
                        parameters.at(name + "/bias"), kLayerNormEpsilon);
}

// softmax(q k^T / sqrt(head width)) v on [B, H, P, head width], through the fused kernels, which
// keep the scores out of memory. In bfloat16 on the CPU, though, they multiply no faster than in
// float32; there the products are made one by one, for as many images at once as leave their scores
// in the cache.
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value) {
  if (!query.is_cpu() || query.scalar_type() != torch::kBFloat16)
    return at::scaled_dot_product_attention(query, key, value);
  constexpr std::int64_t kScoresAtOnce = std::int64_t{1} << 22;
  const std::int64_t batch = query.size(0), scores = query.size(1) * query.size(2) * key.size(2);
  const std::int64_t block = std::clamp<std::int64_t>(kScoresAtOnce / scores, 1, batch);
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < batch; first += block) {
    const auto part = [&](const Tensor& all) {
      return all.narrow(0, first, std::min(block, batch - first));
    };
    const Tensor weights =
        at::softmax(at::matmul(part(query) * scale, part(key).transpose(-1, -2)), -1);
    parts.push_back(at::matmul(weights, part(value)));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

Tensor self_attention(const TransformerConfig& config, const ParameterMap& parameters,
                      const Tensor& x, const std::string& name) {
  const std::int64_t batch = x.size(0), length = x.size(1);
  const auto heads = [&](const char* part) {
    return dense(x, parameters, name + part)
        .reshape({batch, length, config.heads, config.width / config.heads})
        .transpose(1, 2);
  };
  const Tensor mixed = attend(heads("/query"), heads("/key"), heads("/value"));
  // The output kernel is [heads, head_dim, D].
  return dense(mixed.transpose(1, 2).reshape({batch, length, config.width}), parameters,
               name + "/out");
}

std::string layer_name(std::int64_t index) {
  return "TransformerLayer_" + std::to_string(index);
}

// Layer `index` on [B, P, D].
Tensor run_layer(const TransformerConfig& config, const ParameterMap& parameters,
                 std::int64_t index, const Tensor& x, const StageObserver& observe) {
  const std::string layer = layer_name(index), attention = layer + "/Attention_0",
                    mlp = layer + "/Mlp_0";
  const Tensor attended = self_attention(config, parameters, x, attention + "/self_attention");
  const Tensor middle = layer_norm(x + attended, parameters, attention + "/attention_output_ln");
  if (observe) {
    observe(attention + "/self_attention", attended);
    observe(attention, middle);
  }
  const Tensor inner = at::gelu(dense(middle, parameters, mlp + "/intermediate_output"), "tanh");
  const Tensor output = layer_norm(middle + dense(inner, parameters, mlp + "/layer_output"),
                                   parameters, mlp + "/layer_output_ln");
  if (observe) observe(layer, output);
  return output;
}

// [B, 1+N] of the word table; the mask id -1 is its last row.
Tensor word_rows(const TransformerConfig& config, const ParameterMap& parameters,
                 const Tensor& ids) {
  const Tensor rows = torch::where(ids < 0, ids + config.vocabulary(), ids);
  return at::embedding(parameters.at("Embed_0/word_embeddings/embedding"), rows);
}

Tensor with_positions(const ParameterMap& parameters, const Tensor& words) {
  const Tensor places =
      parameters.at("Embed_0/position_embeddings/embedding").narrow(0, 0, words.size(1));
  return layer_norm(words + places, parameters, "Embed_0/embeddings_ln");
}

}  // namespace

ShapeMap transformer_shapes(const TransformerConfig& config) {
  const std::int64_t width = config.width, heads = config.heads, head = width / heads;
  ShapeMap shapes{
      {"Embed_0/word_embeddings/embedding", {config.vocabulary(), width}},
      {"Embed_0/position_embeddings/embedding", {config.positions(), width}},
      {"MlmLayer_0/mlm_dense/kernel", {width, width}},
      {"MlmLayer_0/mlm_dense/bias", {width}},
      {"MlmLayer_0/mlm_bias/bias", {config.vocabulary()}},
  };
  const auto norm = [&](const std::string& name) {
    shapes[name + "/scale"] = {width};
    shapes[name + "/bias"] = {width};
  };
  norm("Embed_0/embeddings_ln");
  norm("MlmLayer_0/mlm_ln");
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string attention = layer_name(i) + "/Attention_0", mlp = layer_name(i) + "/Mlp_0";
    for (const char* part : {"query", "key", "value"}) {
      shapes[attention + "/self_attention/" + part + "/kernel"] = {width, heads, head};
      shapes[attention + "/self_attention/" + part + "/bias"] = {heads, head};
    }
    shapes[attention + "/self_attention/out/kernel"] = {heads, head, width};
    shapes[attention + "/self_attention/out/bias"] = {width};
    norm(attention + "/attention_output_ln");
    shapes[mlp + "/intermediate_output/kernel"] = {width, config.mlp};
    shapes[mlp + "/intermediate_output/bias"] = {config.mlp};
    shapes[mlp + "/layer_output/kernel"] = {config.mlp, width};
    shapes[mlp + "/layer_output/bias"] = {width};
    norm(mlp + "/layer_output_ln");
  }
  return shapes;
}

ParameterMap init_transformer(const TransformerConfig& config, std::uint64_t seed,
                              cluster::Purpose purpose) {
  return initial_parameters(transformer_shapes(config), seed, purpose,
                            [](const std::string&, const auto& shape, PhiloxStream& stream) {
                              return truncated_normal_tensor(stream, shape, kInitScale);
                            });
}

ShapeMap lora_shapes(const TransformerConfig& config, std::int64_t rank) {
  ShapeMap shapes;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    for (const char* part : {"query", "key", "value", "out"}) {
      const std::string name = layer_name(i) + "/Attention_0/self_attention/" + part;
      shapes[name + kLoraA] = {config.width, rank};
      shapes[name + kLoraB] = {rank, config.width};
    }
  }
  return shapes;
}

Tensor embed_tokens(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& ids) {
  MARQUEE_CHECK(ids.dim() == 2 && ids.size(1) <= config.positions(),
                "embed_tokens: ids must be [B, 1+N]");
  return with_positions(parameters, word_rows(config, parameters, ids));
}

Tensor embed_tokens(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& ids, const Tensor& class_rows) {
  MARQUEE_CHECK(ids.dim() == 2 && ids.size(1) == config.positions() && class_rows.dim() == 2,
                "embed_tokens: ids must be [B, 1+N], the class rows [B, D]");
  const Tensor image = word_rows(config, parameters, ids.narrow(1, 1, config.tokens()));
  return with_positions(parameters, at::cat({class_rows.unsqueeze(1), image}, 1));
}

Tensor transform(const TransformerConfig& config, const ParameterMap& parameters,
                 const Tensor& embeddings, const StageObserver& observe, bool recompute) {
  Tensor x = embeddings;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    if (recompute) {
      x = recomputed(
          [config, i](const Tensor& input, const ParameterMap& layer) {
            return run_layer(config, layer, i, input, {});
          },
          x, part_of(parameters, layer_name(i) + "/"));
    } else {
      x = run_layer(config, parameters, i, x, observe);
    }
  }
  return x;
}

Tensor token_logits(const TransformerConfig& config, const ParameterMap& parameters,
                    const Tensor& hidden, std::int64_t outputs) {
  MARQUEE_CHECK(outputs <= config.vocabulary(), "token_logits: more outputs than vocabulary");
  const Tensor x = layer_norm(at::gelu(dense(hidden, parameters, "MlmLayer_0/mlm_dense"), "tanh"),
                              parameters, "MlmLayer_0/mlm_ln");
  const Tensor table = parameters.at("Embed_0/word_embeddings/embedding").narrow(0, 0, outputs);
  return at::linear(x, table, parameters.at("MlmLayer_0/mlm_bias/bias").narrow(0, 0, outputs));
}

Tensor base_logits(const TransformerConfig& config, const ParameterMap& parameters,
                   const Tensor& ids) {
  return token_logits(config, parameters,
                      transform(config, parameters, embed_tokens(config, parameters, ids)),
                      config.vocabulary());
}

Tensor prompted_embeddings(const TransformerConfig& config, const ParameterMap& parameters,
                           const Tensor& ids, const Tensor& prompts) {
  const Tensor image = embed_tokens(config, parameters, ids).narrow(1, 1, config.tokens());
  return at::cat({prompts, image}, 1);
}

Tensor prompted_hidden(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& ids, const Tensor& prompts) {
  return transform(config, parameters, prompted_embeddings(config, parameters, ids, prompts));
}

Tensor prompted_logits(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& ids, const Tensor& prompts) {
  const Tensor hidden = prompted_hidden(config, parameters, ids, prompts);
  const Tensor cut = hidden.narrow(1, prompts.size(1) - 1, config.positions());
  return token_logits(config, parameters, cut, config.codebook);
}

Tensor token_logits_at(const TransformerConfig& config, const ParameterMap& parameters,
                       const Tensor& hidden, const Tensor& positions) {
  MARQUEE_CHECK(positions.dim() == 2 && positions.size(0) == hidden.size(0),
                "token_logits_at: positions must be [B, M]");
  const Tensor rows = (positions + (hidden.size(1) - config.positions())).unsqueeze(-1);
  const Tensor chosen = hidden.gather(1, rows.expand({-1, -1, config.width}));
  return token_logits(config, parameters, chosen, config.codebook);
}

}  // namespace marquee::workers
