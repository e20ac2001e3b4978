#include "workers/pretrain/transformer_stage.h"

#include "workers/image_tensor.h"
#include "workers/models/loss.h"
#include "workers/models/masking.h"
#include "workers/models/tokenizer.h"
#include "workers/models/transformer.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr auto kPurpose = cluster::Purpose::pretrain_transformer;

// Tokens of `views` random crops of every image: int64 [views * images, N], view by view.
Tensor tokenise_pool(const PretrainRecipe& recipe, const ImagePool& pool,
                     const ParameterMap& tokenizer, const ProgressPrinter& print) {
  const torch::InferenceMode inference;
  constexpr std::int64_t kBatch = 128;
  std::vector<Tensor> parts;
  const std::int64_t total = pool.size() * recipe.views;
  for (std::int64_t first = 0; first < total; first += kBatch) {
    std::vector<datasets::Image> views;
    for (std::int64_t i = first; i < std::min(total, first + kBatch); ++i) {
      cluster::PhiloxStream stream(recipe.seed, kPurpose, (std::uint64_t{1} << 32) - 1,
                                   static_cast<std::uint64_t>(i));
      views.push_back(pool.random_view(i % pool.size(), stream, recipe.tokenizer.image_size,
                                       recipe.transformer_stage.smallest_crop));
    }
    parts.push_back(quantise(tokenizer, encode(recipe.tokenizer, tokenizer, to_tensor(views))).ids);
  }
  print("transformer: " + std::to_string(total) + " views tokenised");
  return torch::cat(parts);
}

}  // namespace

ParameterMap pretrain_transformer(const PretrainRecipe& recipe, const ImagePool& pool,
                                  const ParameterMap& tokenizer,
                                  const std::filesystem::path& state_file,
                                  const std::string& identity, std::vector<double>& losses,
                                  const ProgressPrinter& print) {
  TransformerConfig config = recipe.transformer;
  config.classes = pool.num_classes();
  const StageOptions& options = recipe.transformer_stage;
  const Tensor tokens = tokenise_pool(recipe, pool, tokenizer, print);
  StageState state;
  state.parameters = trainable_copy(init_transformer(config, recipe.seed, kPurpose));

  const auto type = recipe.bf16 ? torch::kBFloat16 : torch::kFloat32;
  const StageStep step = [&](std::int64_t index, StageState& current) {
    const auto at = static_cast<std::uint64_t>(index) + 1;
    cluster::PhiloxStream choice(recipe.seed, kPurpose, at, 0);
    Tensor rows = torch::empty({options.batch}, torch::kInt64),
           labels = torch::empty({options.batch}, torch::kInt64);
    Tensor scores = torch::empty({options.batch, config.tokens()});
    std::vector<std::int64_t> counts;
    for (std::int64_t i = 0; i < options.batch; ++i) {
      const auto row =
          static_cast<std::int64_t>(choice.below(static_cast<std::uint64_t>(tokens.size(0))));
      rows[i] = row;
      labels[i] = config.codebook + pool.label(row % pool.size());
      cluster::PhiloxStream stream(recipe.seed, kPurpose, at, static_cast<std::uint64_t>(i) + 1);
      counts.push_back(
          mask_count(mask_rate({}, stream.uniform(), config.tokens()), config.tokens()));
      scores[i] = uniform_tensor(stream, {config.tokens()});
    }
    const Tensor targets = tokens.index_select(0, rows);
    const MaskedTokens masked = apply_mask(targets, scores, counts);
    const Tensor ids = torch::cat({labels.unsqueeze(1), masked.ids}, 1);
    const ParameterMap weights = converted(current.parameters, type);
    const Tensor hidden = transform(config, weights, embed_tokens(config, weights, ids))
                              .narrow(1, 1, config.tokens());
    const Tensor logits = token_logits(config, weights, hidden, config.codebook);
    return masked_cross_entropy(logits, targets, masked.weights, recipe.label_smoothing).mean();
  };
  train_stage("transformer", options, recipe.checkpoint_interval, state_file, identity, state, step,
              print);
  losses = state.losses;
  ParameterMap result;
  for (const auto& [name, tensor] : state.parameters) result[name] = tensor.detach();
  return result;
}

}  // namespace marquee::workers
