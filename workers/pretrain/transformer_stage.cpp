#include "workers/pretrain/transformer_stage.h"

#include "workers/image_tensor.h"
#include "workers/models/loss.h"
#include "workers/models/masking.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr auto kTransformerPurpose = cluster::Purpose::pretrain_transformer;

// Tokens of `views` random crops of every image: int64 [views * images, N], view by view.
Tensor tokenise_pool(const PretrainRecipe& recipe, const ImagePool& pool,
                     const BaseTokenizer& tokenizer, const ProgressPrinter& print) {
  const torch::InferenceMode inference;
  constexpr std::int64_t kCrops = 128;
  std::vector<Tensor> parts;
  const std::int64_t total = pool.size() * recipe.views;
  for (std::int64_t first = 0; first < total; first += kCrops) {
    std::vector<datasets::Image> views;
    for (std::int64_t i = first; i < std::min(total, first + kCrops); ++i) {
      cluster::PhiloxStream stream(recipe.seed, kTransformerPurpose, (std::uint64_t{1} << 32) - 1,
                                   static_cast<std::uint64_t>(i));
      views.push_back(pool.random_view(i % pool.size(), stream, tokenizer.image_size(),
                                       recipe.transformer_stage.smallest_crop));
    }
    parts.push_back(tokenizer.encode(to_tensor(views)));
  }
  print("transformer: " + std::to_string(total) + " views tokenised");
  return torch::cat(parts);
}

struct TokenBatch {
  Tensor tokens;  // int64 [B, N]
  Tensor labels;  // int64 [B], classes of the pool
};

// Rows of the batch of a step, drawn with replacement.
TokenBatch draw_batch(const PretrainRecipe& recipe, const ImagePool& pool, const Tensor& tokens,
                      std::uint64_t step) {
  const std::int64_t batch = recipe.transformer_stage.batch;
  cluster::PhiloxStream choice(recipe.seed, kTransformerPurpose, step, 0);
  Tensor rows = torch::empty({batch}, torch::kInt64), labels = torch::empty({batch}, torch::kInt64);
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto row =
        static_cast<std::int64_t>(choice.below(static_cast<std::uint64_t>(tokens.size(0))));
    rows[i] = row;
    labels[i] = pool.label(row % pool.size());
  }
  return {tokens.index_select(0, rows), labels};
}

Tensor masked_loss(const PretrainRecipe& recipe, const TransformerConfig& config,
                   const ParameterMap& weights, const TokenBatch& batch, std::uint64_t step) {
  const std::int64_t count = batch.tokens.size(0);
  Tensor scores = torch::empty({count, config.tokens()});
  std::vector<std::int64_t> counts;
  for (std::int64_t i = 0; i < count; ++i) {
    cluster::PhiloxStream stream(recipe.seed, kTransformerPurpose, step,
                                 static_cast<std::uint64_t>(i) + 1);
    counts.push_back(mask_count(mask_rate({}, stream.uniform(), config.tokens()), config.tokens()));
    scores[i] = uniform_tensor(stream, {config.tokens()});
  }
  const MaskedTokens masked = apply_mask(batch.tokens, scores, counts);
  const Tensor ids = torch::cat({(config.codebook + batch.labels).unsqueeze(1), masked.ids}, 1);
  const Tensor hidden =
      transform(config, weights, embed_tokens(config, weights, ids)).narrow(1, 1, config.tokens());
  const Tensor logits = token_logits(config, weights, hidden, config.codebook);
  return masked_cross_entropy(logits, batch.tokens, masked.weights, recipe.label_smoothing).mean();
}

Tensor autoregressive_loss(const PretrainRecipe& recipe, const GptConfig& config,
                           const ParameterMap& weights, const TokenBatch& batch) {
  const Tensor prefix = gpt_embed(config, weights, batch.labels.unsqueeze(1), 0);
  const Tensor logits = gpt_token_logits(config, weights, prefix, batch.tokens);
  return masked_cross_entropy(logits, batch.tokens, torch::ones(batch.tokens.sizes()),
                              recipe.label_smoothing)
      .mean();
}

// As the official recipe of the autoregressive model: only weights of linear layers decay.
bool is_linear_weight(const std::string& name) {
  return name.ends_with(".weight") && name != "tok_emb.weight" &&
         name.find("ln") == std::string::npos;
}

}  // namespace

ParameterMap pretrain_transformer(const PretrainRecipe& recipe, const ImagePool& pool,
                                  const BaseTokenizer& tokenizer,
                                  const std::filesystem::path& state_file,
                                  const std::string& identity, std::vector<double>& losses,
                                  const ProgressPrinter& print) {
  AnyTransformerConfig config = recipe.transformer;
  std::visit([&](auto& sizes) { sizes.classes = pool.num_classes(); }, config);
  const auto* masked = std::get_if<TransformerConfig>(&config);
  const Tensor tokens = tokenise_pool(recipe, pool, tokenizer, print);
  StageState state;
  state.parameters = trainable_copy(
      masked != nullptr ? init_transformer(*masked, recipe.seed, kTransformerPurpose)
                        : init_gpt(std::get<GptConfig>(config), recipe.seed, kTransformerPurpose));

  const auto type = recipe.bf16 ? torch::kBFloat16 : torch::kFloat32;
  const StageStep step = [&](std::int64_t index, StageState& current) {
    const auto at = static_cast<std::uint64_t>(index) + 1;
    const TokenBatch batch = draw_batch(recipe, pool, tokens, at);
    const ParameterMap weights = converted(current.parameters, type);
    if (masked != nullptr) return masked_loss(recipe, *masked, weights, batch, at);
    return autoregressive_loss(recipe, std::get<GptConfig>(config), weights, batch);
  };
  AdamWOptions adamw = kPretrainAdamW;
  if (masked == nullptr) {
    adamw.beta2 = 0.95;
    adamw.decays = is_linear_weight;
  }
  train_stage("transformer", recipe.transformer_stage, adamw, recipe.checkpoint_interval,
              state_file, identity, state, step, print);
  losses = state.losses;
  ParameterMap result;
  for (const auto& [name, tensor] : state.parameters) result[name] = tensor.detach();
  return result;
}

}  // namespace marquee::workers
