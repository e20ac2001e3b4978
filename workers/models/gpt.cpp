#include "workers/models/gpt.h"

#include "cluster/error.h"
#include "workers/models/recompute.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kGptEpsilon = 1e-5;
constexpr float kGptInitScale = 0.02F;
constexpr const char *kGptLoraA = ".lora_a", *kGptLoraB = ".lora_b";
constexpr const char* kProjections[] = {".attn.query", ".attn.key", ".attn.value", ".attn.proj"};

std::string block_name(std::int64_t index) {
  return "blocks." + std::to_string(index);
}

Tensor linear(const Tensor& x, const ParameterMap& parameters, const std::string& name) {
  const Tensor y = at::linear(x, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
  const auto low = parameters.find(name + kGptLoraA);
  if (low == parameters.end()) return y;
  return y + at::linear(at::linear(x, low->second), parameters.at(name + kGptLoraB));
}

Tensor gpt_layer_norm(const Tensor& x, const ParameterMap& parameters, const std::string& name) {
  return at::layer_norm(x, {x.size(-1)}, parameters.at(name + ".weight"),
                        parameters.at(name + ".bias"), kGptEpsilon);
}

// bool [new, past + new]: which keys a new position may look at.
Tensor attention_mask(std::int64_t past, std::int64_t fresh, std::int64_t unmasked,
                      const torch::Device& device) {
  const auto options = torch::dtype(torch::kInt64).device(device);
  const Tensor rows = torch::arange(past, past + fresh, options).unsqueeze(1);
  const Tensor columns = torch::arange(past + fresh, options).unsqueeze(0);
  return (columns <= rows).logical_or((rows < unmasked).logical_and(columns < unmasked));
}

// Block `index` on [B, P, D]. `mix` gets its query, key and value [B, H, P, D/H] and gives the
// attended values.
template <typename Mix>
Tensor run_block(const GptConfig& config, const ParameterMap& parameters, std::int64_t index,
                 const Tensor& x, const StageObserver& observe, const Mix& mix) {
  const std::int64_t batch = x.size(0), length = x.size(1);
  const auto report = [&](const std::string& name, const Tensor& output) {
    if (observe) observe(name, output);
    return output;
  };
  const std::string block = block_name(index), attention = block + ".attn";
  const Tensor y = report(block + ".ln1", gpt_layer_norm(x, parameters, block + ".ln1"));
  const auto heads = [&](const char* part) {
    return report(attention + part, linear(y, parameters, attention + part))
        .reshape({batch, length, config.heads, config.width / config.heads})
        .transpose(1, 2);
  };
  const Tensor mixed = mix(index, heads(".query"), heads(".key"), heads(".value"));
  const Tensor middle =
      x + report(attention, linear(mixed.transpose(1, 2).reshape({batch, length, config.width}),
                                   parameters, attention + ".proj"));
  const Tensor z = report(block + ".ln2", gpt_layer_norm(middle, parameters, block + ".ln2"));
  const Tensor inner =
      report(block + ".mlp.1", at::gelu(linear(z, parameters, block + ".mlp.0"), "none"));
  return report(block,
                middle + report(block + ".mlp", linear(inner, parameters, block + ".mlp.2")));
}

void check_embeddings(const GptConfig& config, const Tensor& embeddings) {
  MARQUEE_CHECK(embeddings.dim() == 3 && embeddings.size(2) == config.width,
                "gpt_hidden: embeddings must be [B, P, D]");
}

}  // namespace

ShapeMap gpt_shapes(const GptConfig& config) {
  const std::int64_t width = config.width;
  ShapeMap shapes{{"tok_emb.weight", {config.codebook, width}},
                  {"pos_emb", {1, config.block_size, width}},
                  {"head.weight", {config.codebook, width}}};
  const auto norm = [&](const std::string& name) {
    shapes[name + ".weight"] = {width};
    shapes[name + ".bias"] = {width};
  };
  const auto dense = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    shapes[name + ".weight"] = {out, in};
    shapes[name + ".bias"] = {out};
  };
  norm("ln_f");
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string block = block_name(i);
    norm(block + ".ln1");
    norm(block + ".ln2");
    for (const char* part : kProjections) dense(block + part, width, width);
    dense(block + ".mlp.0", width, config.mlp);
    dense(block + ".mlp.2", config.mlp, width);
  }
  return shapes;
}

ShapeMap gpt_lora_shapes(const GptConfig& config, std::int64_t rank) {
  ShapeMap shapes;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    for (const char* part : kProjections) {
      shapes[block_name(i) + part + kGptLoraA] = {rank, config.width};
      shapes[block_name(i) + part + kGptLoraB] = {config.width, rank};
    }
  }
  return shapes;
}

ParameterMap init_gpt(const GptConfig& config, std::uint64_t seed, cluster::Purpose purpose) {
  return initial_parameters(gpt_shapes(config), seed, purpose,
                            [](const std::string& name, const auto& shape, PhiloxStream& stream) {
                              if (name == "pos_emb") return torch::zeros(shape);
                              return normal_tensor(stream, shape).mul_(kGptInitScale);
                            });
}

Tensor gpt_embed(const GptConfig& config, const ParameterMap& parameters, const Tensor& ids,
                 std::int64_t first) {
  MARQUEE_CHECK(ids.dim() == 2 && first >= 0 && first + ids.size(1) <= config.block_size,
                "gpt_embed: ids must be [B, P], their positions below the block size");
  return at::embedding(parameters.at("tok_emb.weight"), ids) +
         parameters.at("pos_emb").narrow(1, first, ids.size(1));
}

Tensor gpt_hidden(const GptConfig& config, const ParameterMap& parameters, const Tensor& embeddings,
                  const StageObserver& observe, bool recompute) {
  check_embeddings(config, embeddings);
  std::optional<Tensor> mask;
  if (config.unmasked > 1)
    mask = attention_mask(0, embeddings.size(1), config.unmasked, embeddings.device());
  const auto mix = [mask](std::int64_t, const Tensor& query, const Tensor& key,
                          const Tensor& value) {
    return at::scaled_dot_product_attention(query, key, value, mask, /*dropout_p=*/0.0,
                                            /*is_causal=*/!mask.has_value());
  };
  Tensor x = embeddings;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    if (recompute) {
      x = recomputed(
          [config, i, mix](const Tensor& input, const ParameterMap& block) {
            return run_block(config, block, i, input, {}, mix);
          },
          x, part_of(parameters, block_name(i) + "."));
    } else {
      x = run_block(config, parameters, i, x, observe, mix);
    }
  }
  x = gpt_layer_norm(x, parameters, "ln_f");
  if (observe) observe("ln_f", x);
  return x;
}

KeyValueCache::KeyValueCache(const GptConfig& config, const ParameterMap& parameters,
                             std::int64_t batch, std::int64_t capacity) {
  const auto options = parameters.at("tok_emb.weight").options();
  for (std::int64_t i = 0; i < config.layers; ++i) {
    for (std::vector<Tensor>* buffers : {&keys_, &values_}) {
      buffers->push_back(
          torch::empty({batch, config.heads, capacity, config.width / config.heads}, options));
    }
  }
}

Tensor gpt_hidden(const GptConfig& config, const ParameterMap& parameters, const Tensor& embeddings,
                  KeyValueCache& cache) {
  check_embeddings(config, embeddings);
  const std::int64_t past = cache.length_, fresh = embeddings.size(1);
  MARQUEE_CHECK(
      past + fresh <= cache.keys_.at(0).size(2) && embeddings.size(0) == cache.keys_[0].size(0),
      "gpt_hidden: the cache is too small for these positions");
  const bool causal = past == 0 && config.unmasked <= 1;
  std::optional<Tensor> mask;
  if (fresh > 1 && !causal)
    mask = attention_mask(past, fresh, config.unmasked, embeddings.device());
  cache.length_ = past + fresh;
  const auto mix = [&](std::int64_t layer, const Tensor& query, const Tensor& key,
                       const Tensor& value) {
    const auto at = static_cast<std::size_t>(layer);
    cache.keys_[at].narrow(2, past, fresh).copy_(key);
    cache.values_[at].narrow(2, past, fresh).copy_(value);
    return at::scaled_dot_product_attention(query, cache.keys(layer), cache.values(layer), mask,
                                            /*dropout_p=*/0.0,
                                            /*is_causal=*/fresh > 1 && causal);
  };
  Tensor x = embeddings;
  for (std::int64_t i = 0; i < config.layers; ++i) x = run_block(config, parameters, i, x, {}, mix);
  return gpt_layer_norm(x, parameters, "ln_f");
}

Tensor gpt_logits(const ParameterMap& parameters, const Tensor& hidden) {
  return at::linear(hidden, parameters.at("head.weight"));
}

Tensor gpt_token_logits(const GptConfig& config, const ParameterMap& parameters,
                        const Tensor& prefix, const Tensor& tokens, bool recompute) {
  const std::int64_t count = tokens.size(1);
  const Tensor fed = gpt_embed(config, parameters, tokens.narrow(1, 0, count - 1), 1);
  const Tensor hidden = gpt_hidden(config, parameters, at::cat({prefix, fed}, 1), {}, recompute);
  return gpt_logits(parameters, hidden.narrow(1, prefix.size(1) - 1, count));
}

}  // namespace marquee::workers
