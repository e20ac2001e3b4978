#include "workers/features/feature_network.h"

#include <torch/script.h>

#include "cluster/error.h"
#include "cluster/text.h"
#include "datasets/resize.h"
#include "workers/image_tensor.h"
#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {
namespace {

constexpr const char* kReturnFeatures = "return_features";

void check_only_features(const std::vector<std::string>& outputs, const std::string& network) {
  for (const std::string& output : outputs) {
    if (output != kFeaturesOutput)
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
    return {{kFeaturesOutput, image_features(config_, weights_, inputs)}};
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

// The one line that says what went wrong: TorchScript's own errors end with it, behind a trace of
// the module's code; others begin with it.
std::string reason_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const bool traced = text.find("Traceback of TorchScript") != std::string::npos;
  constexpr std::size_t kMost = 400;
  const std::string line =
      traced ? text.substr(text.rfind('\n') + 1) : text.substr(0, text.find('\n'));
  return cluster::printable(line.substr(0, kMost));
}

class ScriptNetwork : public FeatureNetwork {
 public:
  ScriptNetwork(std::string name, const std::string& file, std::string hash,
                const ScriptInput& input)
      : name_(std::move(name)), file_(file), hash_(std::move(hash)), input_(input) {
    try {
      module_ = torch::jit::load(file, torch::kCPU);
      module_.eval();
      const c10::FunctionSchema& schema = module_.get_method("forward").function().getSchema();
      if (schema.argumentIndexWithName(kReturnFeatures).has_value())
        keywords_[kReturnFeatures] = true;
    } catch (const std::exception& error) {
      cluster::throw_environment(file + ": no TorchScript module: " + reason_of(error));
    }
  }

  std::string name() const override { return name_; }
  std::string hash() const override { return hash_; }
  std::string input_rule() const override { return described(input_); }

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

  FeatureOutputs outputs(const Tensor& inputs,
                         const std::vector<std::string>& names) const override {
    check_only_features(names, name_);
    Tensor features;
    try {
      torch::jit::Module module = module_;
      const torch::jit::IValue answer = module.forward({inputs}, keywords_);
      features =
          answer.isTuple() ? answer.toTuple()->elements().at(0).toTensor() : answer.toTensor();
    } catch (const std::exception& error) {
      cluster::throw_environment(file_ + ": " + reason_of(error));
    }
    if (features.dim() < 2 || features.size(0) != inputs.size(0) || features.numel() == 0 ||
        !features.is_floating_point()) {
      cluster::throw_environment(file_ + ": gives " + c10::toString(features.scalar_type()) + " " +
                                 shape_text(features.sizes().vec()) + " for " +
                                 std::to_string(inputs.size(0)) +
                                 " images; floating-point features [images, d] are expected");
    }
    return {{kFeaturesOutput, features.flatten(1).to(torch::kFloat32)}};
  }

 private:
  std::string name_, file_, hash_;
  ScriptInput input_;
  torch::jit::Module module_;
  torch::jit::Kwargs keywords_;
};

}  // namespace

Tensor FeatureNetwork::stacked(const std::vector<Tensor>& inputs) const {
  for (const Tensor& image : inputs) {
    if (image.sizes() != inputs[0].sizes()) {
      cluster::throw_environment("network " + name() +
                                 " takes images in their own size, which must be one size");
    }
  }
  return at::stack(inputs);
}

FeatureOutputs FeatureNetwork::extract(const std::vector<datasets::Image>& images,
                                       const std::vector<std::string>& names) const {
  std::vector<Tensor> inputs;
  inputs.reserve(images.size());
  for (const datasets::Image& image : images) inputs.push_back(input(image));
  return outputs(stacked(inputs), names);
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

std::string described(const ScriptInput& input) {
  const std::string size =
      input.side == 0 ? std::string("own size")
                      : std::string(name_of(input.resize)) + " to " + std::to_string(input.side);
  return size + (input.normalise ? ", ImageNet mean and deviation" : ", levels 0 to 255");
}

std::unique_ptr<FeatureNetwork> script_network(std::string name, const std::string& file,
                                               std::string hash, const ScriptInput& input) {
  return std::make_unique<ScriptNetwork>(std::move(name), file, std::move(hash), input);
}

}  // namespace marquee::workers
