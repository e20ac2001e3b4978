#include "workers/models/feature_network.h"

#include <cmath>

#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kNormGroups = 8;
constexpr double kEpsilon = 1e-5;

std::string stage_name(std::size_t stage) {
  return "Stage_" + std::to_string(stage);
}

}  // namespace

ShapeMap feature_shapes(const FeatureConfig& config) {
  ShapeMap shapes;
  const auto norm = [&](const std::string& name, std::int64_t channels) {
    shapes[name + "/scale"] = {channels};
    shapes[name + "/bias"] = {channels};
  };
  std::int64_t in = 3;
  for (std::size_t stage = 0; stage < config.channels.size(); ++stage) {
    const std::int64_t out = config.channels[stage];
    const std::string name = stage_name(stage);
    shapes[name + "/Down/kernel"] = {out, in, 3, 3};
    norm(name + "/Norm_0", out);
    shapes[name + "/Conv_0/kernel"] = {out, out, 3, 3};
    norm(name + "/Norm_1", out);
    shapes[name + "/Conv_1/kernel"] = {out, out, 3, 3};
    in = out;
  }
  norm("Norm", in);
  shapes["Classifier/kernel"] = {in, config.classes};
  shapes["Classifier/bias"] = {config.classes};
  return shapes;
}

ParameterMap init_features(const FeatureConfig& config, std::uint64_t seed,
                           cluster::Purpose purpose) {
  return initial_parameters(
      feature_shapes(config), seed, purpose,
      [](const std::string& name, const auto& shape, PhiloxStream& stream) {
        if (name == "Classifier/kernel") return truncated_normal_tensor(stream, shape, 0.02F);
        const auto fan_in = static_cast<float>(shape[1] * shape[2] * shape[3]);
        return truncated_normal_tensor(stream, shape, std::sqrt(2.0F / fan_in));
      });
}

Tensor image_features(const FeatureConfig& config, const ParameterMap& parameters,
                      const Tensor& images) {
  const auto norm = [&](const Tensor& x, const std::string& name) {
    return at::group_norm(x, kNormGroups, parameters.at(name + "/scale"),
                          parameters.at(name + "/bias"), kEpsilon);
  };
  Tensor x = (images - 0.5) * 4.0;
  for (std::size_t stage = 0; stage < config.channels.size(); ++stage) {
    const std::string name = stage_name(stage);
    x = at::conv2d(x, parameters.at(name + "/Down/kernel"), std::nullopt, /*stride=*/2,
                   /*padding=*/1);
    Tensor y = at::silu(norm(x, name + "/Norm_0"));
    y = at::conv2d(y, parameters.at(name + "/Conv_0/kernel"), std::nullopt, 1, 1);
    y = at::silu(norm(y, name + "/Norm_1"));
    x = x + at::conv2d(y, parameters.at(name + "/Conv_1/kernel"), std::nullopt, 1, 1);
  }
  return at::silu(norm(x, "Norm")).to(torch::kFloat32).mean({2, 3});
}

Tensor class_logits(const ParameterMap& parameters, const Tensor& features) {
  return at::addmm(parameters.at("Classifier/bias"), features, parameters.at("Classifier/kernel"));
}

}  // namespace marquee::workers
