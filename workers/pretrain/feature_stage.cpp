#include "workers/pretrain/feature_stage.h"

#include "workers/image_tensor.h"
#include "workers/models/feature_network.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr auto kFeaturePurpose = cluster::Purpose::pretrain_features;
constexpr double kSmoothing = 0.1;

// Brightness and contrast of each image by up to 20 and 30 percent.
Tensor jitter(const Tensor& images, std::uint64_t seed, std::int64_t step) {
  cluster::PhiloxStream stream(seed, kFeaturePurpose, static_cast<std::uint64_t>(step) + 1,
                               std::uint64_t{1} << 31);
  const std::vector<std::int64_t> each{images.size(0), 1, 1, 1};
  const Tensor brightness = uniform_tensor(stream, each).sub_(0.5).mul_(0.4);
  const Tensor contrast = uniform_tensor(stream, each).sub_(0.5).mul_(0.6).add_(1.0);
  return ((images - 0.5) * contrast + 0.5 + brightness).clamp(0, 1);
}

}  // namespace

ParameterMap pretrain_features(const PretrainRecipe& recipe, const ImagePool& pool,
                               const std::filesystem::path& state_file, const std::string& identity,
                               std::vector<double>& losses, const ProgressPrinter& print) {
  FeatureConfig config = recipe.features;
  config.classes = pool.num_classes();
  const StageOptions& options = recipe.features_stage;
  StageState state;
  state.parameters = trainable_copy(init_features(config, recipe.seed, kFeaturePurpose));
  const auto type = recipe.bf16 ? torch::kBFloat16 : torch::kFloat32;
  const StageStep step = [&](std::int64_t index, StageState& current) {
    const ImageBatch batch = pool.random_batch(recipe.seed, kFeaturePurpose, index, options.batch,
                                               config.image_size, options.smallest_crop);
    const Tensor features = image_features(config, converted(current.parameters, type),
                                           jitter(batch.images, recipe.seed, index).to(type));
    return at::cross_entropy_loss(class_logits(current.parameters, features), batch.labels, {},
                                  at::Reduction::Mean, -100, kSmoothing);
  };
  train_stage("features", options, kPretrainAdamW, recipe.checkpoint_interval, state_file, identity,
              state, step, print);
  losses = state.losses;
  ParameterMap result;
  for (const auto& [name, tensor] : state.parameters) result[name] = tensor.detach();
  return result;
}

double training_accuracy(const FeatureConfig& config, const ParameterMap& parameters,
                         const ImagePool& pool) {
  const torch::InferenceMode inference;
  constexpr std::int64_t kBatch = 128;
  std::int64_t right = 0;
  for (std::int64_t first = 0; first < pool.size(); first += kBatch) {
    std::vector<datasets::Image> views;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = first; i < std::min(pool.size(), first + kBatch); ++i) {
      cluster::PhiloxStream stream(0, kFeaturePurpose, (std::uint64_t{1} << 32) - 1,
                                   static_cast<std::uint64_t>(i));
      views.push_back(pool.random_view(i, stream, config.image_size, 1.0));
      labels.push_back(pool.label(i));
    }
    const Tensor named =
        class_logits(parameters, image_features(config, parameters, to_tensor(views))).argmax(1);
    right += (named == torch::tensor(at::ArrayRef<std::int64_t>(labels), torch::kInt64))
                 .sum()
                 .item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(pool.size());
}

}  // namespace marquee::workers
