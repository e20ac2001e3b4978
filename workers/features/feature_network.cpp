#include "workers/features/feature_network.h"

#include <filesystem>

#include <torch/script.h>

#include "cluster/error.h"
#include "datasets/resize.h"
#include "workers/image_tensor.h"

namespace marquee::workers {
namespace {

constexpr const char* kFeatures = "features";

void check_only_features(const std::vector<std::string>& outputs, const std::string& network) {
  for (const std::string& output : outputs) {
    if (output != kFeatures)
      cluster::throw_usage(network + " has no output '" + output + "'; it has features");
  }
}

class InceptionNetwork : public FeatureNetwork {
 public:
  InceptionNetwork(const ParameterMap& weights, const std::string& source, std::string hash,
                   const InceptionInput& input, torch::ScalarType compute)
      : network_(weights, source, compute),
        hash_(std::move(hash)),
        input_(input),
        compute_(compute) {}

  std::string name() const override { return "inception-2015-12-05"; }
  std::string hash() const override { return hash_; }
  std::string input_rule() const override {
    return described(input_) + (compute_ == torch::kBFloat16 ? ", bfloat16" : "");
  }
  Tensor input(const datasets::Image& image) const override {
    return inception_input({image}, input_).squeeze(0);
  }
  FeatureOutputs outputs(const Tensor& inputs,
                         const std::vector<std::string>& names) const override {
    return network_(inputs, names);
  }

 private:
  Inception network_;
  std::string hash_;
  InceptionInput input_;
  torch::ScalarType compute_;
};

class MiniNetwork : public FeatureNetwork {
 public:
  MiniNetwork(const FeatureConfig& config, ParameterMap weights, std::string hash)
      : config_(config), weights_(std::move(weights)), hash_(std::move(hash)) {}

  std::string name() const override { return "mini"; }
  std::string hash() const override { return hash_; }
  std::string input_rule() const override {
    return "center crop, antialiased bilinear to " + std::to_string(config_.image_size);
  }
  std::int64_t batch() const override { return 100; }
  Tensor input(const datasets::Image& image) const override {
    return to_tensor({datasets::center_crop_resize(image, static_cast<int>(config_.image_size))})
        .squeeze(0);
  }
  FeatureOutputs outputs(const Tensor& inputs,
                         const std::vector<std::string>& names) const override {
    check_only_features(names, "the mini network");
    return {{kFeatures, image_features(config_, weights_, inputs)}};
  }
  // In the layout that the decoder left, on which the last bits depend.
  FeatureOutputs extract_decoded(const Tensor& images,
                                 const std::vector<std::string>& names) const override {
    const bool fits = images.size(2) == config_.image_size && images.size(3) == config_.image_size;
    return fits ? outputs(rounded_to_levels(images), names)
                : FeatureNetwork::extract_decoded(images, names);
  }

 private:
  FeatureConfig config_;
  ParameterMap weights_;
  std::string hash_;
};

class ScriptNetwork : public FeatureNetwork {
 public:
  ScriptNetwork(const std::string& file, std::string hash, const ScriptInput& input)
      : file_(file), hash_(std::move(hash)), input_(input) {
    try {
      module_ = torch::jit::load(file, torch::kCPU);
      module_.eval();
    } catch (const c10::Error& error) {
      cluster::throw_environment(file +
                                 ": no TorchScript module: " + error.what_without_backtrace());
    }
  }

  std::string name() const override { return std::filesystem::path(file_).stem().string(); }
  std::string hash() const override { return hash_; }
  std::string input_rule() const override {
    const std::string size = input_.side == 0 ? std::string("own size")
                                              : std::string(name_of(input_.resize)) + " to " +
                                                    std::to_string(input_.side);
    return size + (input_.normalise ? ", ImageNet mean and deviation" : ", levels 0 to 255");
  }

  Tensor input(const datasets::Image& image) const override {
    const bool own = input_.side == 0;
    const Tensor levels = resized(image, own ? image.height : input_.side,
                                  own ? image.width : input_.side, input_.resize);
    if (!input_.normalise) return levels;
    const auto channels = [](std::vector<float> values) {
      return torch::tensor(values).reshape({3, 1, 1});
    };
    return (levels.clamp(0, 255) / 255 - channels({0.485F, 0.456F, 0.406F})) /
           channels({0.229F, 0.224F, 0.225F});
  }

  FeatureOutputs outputs(const Tensor& levels,
                         const std::vector<std::string>& names) const override {
    check_only_features(names, file_);
    try {
      torch::jit::Module module = module_;
      const torch::jit::IValue answer = module.forward({levels});
      const Tensor features =
          answer.isTuple() ? answer.toTuple()->elements().at(0).toTensor() : answer.toTensor();
      if (features.size(0) != levels.size(0))
        cluster::throw_environment(file_ + ": gives features of another number of images");
      return {{kFeatures, features.flatten(1).to(torch::kFloat32)}};
    } catch (const c10::Error& error) {
      cluster::throw_environment(file_ + ": " + error.what_without_backtrace());
    }
  }

 private:
  std::string file_, hash_;
  ScriptInput input_;
  torch::jit::Module module_;
};

}  // namespace

FeatureOutputs FeatureNetwork::extract(const std::vector<datasets::Image>& images,
                                       const std::vector<std::string>& names) const {
  std::vector<Tensor> inputs;
  inputs.reserve(images.size());
  for (const datasets::Image& image : images) inputs.push_back(input(image));
  return outputs(at::stack(inputs), names);
}

FeatureOutputs FeatureNetwork::extract_decoded(const Tensor& images,
                                               const std::vector<std::string>& names) const {
  return extract(to_images(images), names);
}

std::unique_ptr<FeatureNetwork> inception_network(const ParameterMap& weights,
                                                  const std::string& source, std::string hash,
                                                  const InceptionInput& input,
                                                  torch::ScalarType compute) {
  return std::make_unique<InceptionNetwork>(weights, source, std::move(hash), input, compute);
}

std::unique_ptr<FeatureNetwork> mini_network(const FeatureConfig& config, ParameterMap weights,
                                             std::string hash) {
  return std::make_unique<MiniNetwork>(config, std::move(weights), std::move(hash));
}

std::unique_ptr<FeatureNetwork> script_network(const std::string& file, std::string hash,
                                               const ScriptInput& input) {
  return std::make_unique<ScriptNetwork>(file, std::move(hash), input);
}

}  // namespace marquee::workers
