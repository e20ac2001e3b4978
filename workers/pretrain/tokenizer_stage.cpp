#include "workers/pretrain/tokenizer_stage.h"

#include "workers/models/tokenizer.h"

namespace marquee::workers {
namespace {

// The codebook settles in the last part of training: nothing is re-seeded there.
constexpr double kReseedShare = 0.9;

// Moving averages of use and sum of each code; dead codes take a vector of the batch.
void update_codebook(const PretrainRecipe& recipe, std::int64_t step, const Tensor& vectors,
                     const Tensor& ids, StageState& state) {
  const torch::NoGradGuard no_grad;
  const std::int64_t codes = recipe.tokenizer.codebook;
  const Tensor batch_count = torch::bincount(ids, {}, codes).to(torch::kFloat32);
  const Tensor batch_sum = torch::zeros({codes, vectors.size(1)}).index_add_(0, ids, vectors);
  Tensor& count = state.buffers.at("count");
  Tensor& sum = state.buffers.at("sum");
  const double decay = recipe.codebook_decay;
  count.mul_(decay).add_(batch_count, 1 - decay);
  sum.mul_(decay).add_(batch_sum, 1 - decay);

  const double expected = static_cast<double>(vectors.size(0)) / static_cast<double>(codes);
  if (static_cast<double>(step) <
      kReseedShare * static_cast<double>(recipe.tokenizer_stage.steps)) {
    cluster::PhiloxStream stream(recipe.seed, cluster::Purpose::pretrain_tokenizer,
                                 static_cast<std::uint64_t>(step) + 1,
                                 static_cast<std::uint64_t>(recipe.tokenizer_stage.batch) + 1);
    const Tensor dead = (count < recipe.dead_code_share * expected).nonzero().flatten();
    for (std::int64_t i = 0; i < dead.numel(); ++i) {
      const auto code = dead[i].item<std::int64_t>();
      const auto donor =
          static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(vectors.size(0))));
      count[code] = expected;
      sum[code] = vectors[donor] * expected;
    }
  }
  state.buffers.at("codebook").copy_(sum / count.clamp_min(1e-6).unsqueeze(1));
}

}  // namespace

ParameterMap pretrain_tokenizer(const PretrainRecipe& recipe, const ImagePool& pool,
                                const std::filesystem::path& state_file,
                                const std::string& identity, std::vector<double>& losses,
                                const ProgressPrinter& print) {
  const TokenizerConfig& config = recipe.tokenizer;
  const StageOptions& options = recipe.tokenizer_stage;
  StageState state;
  ParameterMap initial = init_tokenizer(config, recipe.seed, cluster::Purpose::pretrain_tokenizer);
  const auto images_of = [&](std::int64_t step) {
    return pool
        .random_batch(recipe.seed, cluster::Purpose::pretrain_tokenizer, step, options.batch,
                      config.image_size, options.smallest_crop)
        .images;
  };
  {
    // Codes start as vectors of encoded images.
    const torch::NoGradGuard no_grad;
    const Tensor encoded =
        encode(config, initial, images_of(0)).permute({0, 2, 3, 1}).reshape({-1, config.embedding});
    cluster::PhiloxStream stream(recipe.seed, cluster::Purpose::pretrain_tokenizer, 0,
                                 std::uint64_t{1} << 31);
    Tensor& codebook = initial.at(kMaskGitCodebook);
    for (std::int64_t code = 0; code < config.codebook; ++code) {
      codebook[code] = encoded[static_cast<std::int64_t>(
          stream.below(static_cast<std::uint64_t>(encoded.size(0))))];
    }
    state.buffers["codebook"] = codebook.clone();
    state.buffers["count"] = torch::ones({config.codebook});
    state.buffers["sum"] = codebook.clone();
  }
  initial.erase(kMaskGitCodebook);
  state.parameters = trainable_copy(initial);

  const auto type = recipe.bf16 ? torch::kBFloat16 : torch::kFloat32;
  const StageStep step = [&](std::int64_t index, StageState& current) {
    ParameterMap weights = converted(current.parameters, type);
    const Tensor images = images_of(index);
    const Tensor encoded = encode(config, weights, images.to(type)).to(torch::kFloat32);
    const Quantised quantised = quantise(current.buffers.at("codebook"), encoded.detach());
    const Tensor commitment = (encoded - quantised.vectors).square().mean();
    const Tensor through = encoded + (quantised.vectors - encoded).detach();
    const Tensor decoded = decode_vectors(config, weights, through.to(type)).to(torch::kFloat32);
    const Tensor error = (decoded - images).square().mean();
    update_codebook(recipe, index,
                    encoded.detach().permute({0, 2, 3, 1}).reshape({-1, config.embedding}),
                    quantised.ids.flatten(), current);
    // The error of a natural image is small against one; the factor brings both terms to one scale.
    constexpr double kErrorWeight = 10.0;
    return kErrorWeight * error + recipe.commitment * commitment;
  };
  train_stage("tokenizer", options, kPretrainAdamW, recipe.checkpoint_interval, state_file,
              identity, state, step, print);
  losses = state.losses;
  ParameterMap result;
  for (const auto& [name, tensor] : state.parameters) result[name] = tensor.detach();
  result[kMaskGitCodebook] = state.buffers.at("codebook");
  return result;
}

}  // namespace marquee::workers
