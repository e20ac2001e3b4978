// A network that measures images: what every metric but the pixels' own is computed from.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/image.h"
#include "workers/features/inception_input.h"
#include "workers/models/feature_network.h"
#include "workers/models/inception.h"

namespace marquee::workers {

inline constexpr const char* kFeaturesOutput = "features";  // of networks with one output

using FeatureOutputs = std::map<std::string, Tensor>;  // float32 [B, d]

// Outputs of batches, one below the other.
class FeatureParts {
 public:
  void add(const FeatureOutputs& batch) {
    for (const auto& [name, values] : batch) parts_[name].push_back(values);
  }
  FeatureOutputs all() const {
    FeatureOutputs outputs;
    for (const auto& [name, values] : parts_) outputs[name] = at::cat(values);
    return outputs;
  }

 private:
  std::map<std::string, std::vector<Tensor>> parts_;
};

// Thread safe for reading.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  virtual std::string name() const = 0;
  virtual std::string hash() const = 0;        // SHA-256 of the weights
  virtual std::string input_rule() const = 0;  // how images of any size are fed to it

  virtual std::int64_t batch() const { return 32; }  // images at once that memory is spent well on

  // An image by that rule, float32 [3, H, W]; small, however large the image.
  virtual Tensor input(const datasets::Image& image) const = 0;
  // Of inputs [B, 3, H, W]. Throws usage for an output that the network does not have.
  virtual FeatureOutputs outputs(const Tensor& inputs,
                                 const std::vector<std::string>& names) const = 0;
  // Inputs as one [B, 3, H, W]. Throws environment where the rule left them of several sizes.
  Tensor stacked(const std::vector<Tensor>& inputs) const;
  // Both for images that may differ in size where the rule takes them.
  FeatureOutputs extract(const std::vector<datasets::Image>& images,
                         const std::vector<std::string>& names) const;
  // Of images as a tokenizer decodes them, float32 [B, 3, H, W], rounded to levels as a PNG holds
  // them.
  virtual FeatureOutputs extract_decoded(const Tensor& images,
                                         const std::vector<std::string>& names) const;
};

// The FID Inception: outputs of Inception.
std::unique_ptr<FeatureNetwork> inception_network(const ParameterMap& weights,
                                                  const std::string& source, std::string hash,
                                                  const InceptionInput& input,
                                                  torch::ScalarType compute);
// The small network of a base: output "features". Images are cropped to their central square and
// resized with antialiased bilinear, as the runs of its profile are scored.
std::unique_ptr<FeatureNetwork> mini_network(const FeatureConfig& config, ParameterMap weights,
                                             std::string hash);
// A TorchScript module that maps float [B, 3, H, W] to [B, d] or a tuple whose first element is
// that: output "features" (kFeaturesOutput). Where forward() has an argument `return_features`, as
// NVIDIA's modules do, it is true. It is code of whoever wrote the file; the caller has asked
// whether the user trusts it. Throws environment naming the file, extract() too: for what the
// module raises, and for an answer of another form.
struct ScriptInput {
  std::int64_t side = 224;  // images are resized to it by `resize`; 0: passed as they are
  ResizeRule resize = ResizeRule::pil_bicubic_float_noclip;
  // (x / 255 - mean) / deviation by channel; without `normalise` levels 0..255 are passed.
  bool normalise = true;
};
std::string described(const ScriptInput& input);
std::unique_ptr<FeatureNetwork> script_network(std::string name, const std::string& file,
                                               std::string hash, const ScriptInput& input);

}  // namespace marquee::workers
