#include "experiments/protocols.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::experiments {
namespace {

constexpr const char* kTensorFlow = "tensorflow";
constexpr const char* kUnit = "unit";
constexpr const char* kLastLayer = "2048";
constexpr const char* kNoValue = "no value of the tool itself was at hand to compare with";

Protocol clean_fid(const std::string& name, const std::string& mode, const char* resize,
                   const char* range) {
  Protocol protocol;
  protocol.name = name;
  protocol.follows = "clean-fid 0.1.35, mode " + mode;
  protocol.resize = resize;
  protocol.range = range;
  protocol.mixed_sizes = true;
  protocol.metrics = {"fid", "kid"};
  protocol.kid_subsets = 100;
  protocol.kid_size = 1000;
  protocol.kid_capped = true;
  protocol.kid_seed = 0;  // the tool draws from NumPy's global stream, unseeded
  return protocol;
}

Protocol pytorch_fid(const std::string& layer) {
  Protocol protocol;
  protocol.name = layer == kLastLayer ? "pytorch-fid" : "pytorch-fid-" + layer;
  protocol.follows = "pytorch-fid 0.3.0, --dims " + layer;
  protocol.resize = "torch_bilinear";
  protocol.range = kUnit;
  protocol.layer = layer;
  protocol.metrics = {"fid"};
  return protocol;
}

Protocol torch_fidelity() {
  constexpr std::uint32_t kSeed = 2020;
  Protocol protocol;
  protocol.name = "torch-fidelity";
  protocol.follows = "torch-fidelity 0.4.0, inception-v3-compat for all metrics";
  protocol.resize = "tf1_bilinear";
  protocol.range = kTensorFlow;
  protocol.metrics = {"fid", "kid", "inception_score", "precision", "recall", "f_score"};
  protocol.kid_subsets = 100;
  protocol.kid_size = 1000;
  protocol.kid_seed = kSeed;
  protocol.is_splits = 10;
  protocol.is_shuffle = kSeed;
  return protocol;
}

Protocol adm() {
  Protocol protocol;
  protocol.name = "adm";
  protocol.follows = "the evaluation suite of guided-diffusion";
  protocol.verified = false;
  protocol.unverified_because = kNoValue;
  protocol.resize = "tf1_bilinear";
  protocol.range = kTensorFlow;
  protocol.metrics = {"fid", "sfid", "inception_score", "precision", "recall"};
  return protocol;
}

Protocol stylegan2_ada() {
  Protocol protocol;
  protocol.name = "stylegan2-ada";
  protocol.follows = "the metrics of stylegan2-ada-pytorch; precision and recall of its VGG16";
  protocol.verified = false;
  protocol.unverified_because = kNoValue;
  protocol.resize = "tf1_bilinear";
  protocol.range = kTensorFlow;
  protocol.metrics = {"fid", "kid", "inception_score", "precision", "recall"};
  protocol.ddof = 0;
  protocol.kid_subsets = 100;
  protocol.kid_size = 1000;
  protocol.kid_capped = true;
  protocol.is_splits = 10;
  protocol.manifold_network = "vgg16";
  protocol.manifold_half = true;
  return protocol;
}

Protocol mini(const std::string& name) {
  Protocol protocol;
  protocol.name = name;
  protocol.follows = "marquee's small feature network, for the mini profile";
  protocol.network = kMiniNetwork;
  protocol.mixed_sizes = true;
  protocol.metrics = {"fid_mini", "kid_mini", "precision", "recall", "density", "coverage"};
  return protocol;
}

Protocol vtab() {
  Protocol protocol;
  protocol.name = kVtabProtocol;
  protocol.follows = "marquee's own, for the benchmark";
  protocol.crop = true;
  protocol.reference_prior = true;
  protocol.resize = "clean_fid_clean";
  protocol.range = kTensorFlow;
  protocol.mixed_sizes = true;
  protocol.metrics = {"fid",     "kid",      "inception_score", "precision", "recall",
                      "density", "coverage", "fid_infinity",    "vendi"};
  return protocol;
}

}  // namespace

const std::vector<Protocol>& protocols() {
  static const std::vector<Protocol> kAll{
      clean_fid("clean-fid", "clean", "clean_fid_clean", kTensorFlow),
      clean_fid("clean-fid-legacy-pytorch", "legacy_pytorch", "torch_bilinear", kUnit),
      clean_fid("clean-fid-legacy-tensorflow", "legacy_tensorflow", "tf1_bilinear", kTensorFlow),
      pytorch_fid(kLastLayer),
      pytorch_fid("768"),
      pytorch_fid("192"),
      pytorch_fid("64"),
      torch_fidelity(),
      adm(),
      stylegan2_ada(),
      mini("mini-v0"),
      mini("mini-v1"),
      vtab()};
  return kAll;
}

std::int64_t fewest_images(const Protocol& protocol) {
  const auto& metrics = protocol.metrics;
  const bool line = std::find(metrics.begin(), metrics.end(), "fid_infinity") != metrics.end();
  return line ? kFewestForInfinity : std::max(protocol.pr_neighbours, protocol.dc_neighbours) + 1;
}

bool fits_sweeps(const Protocol& protocol) {
  return protocol.mixed_sizes;
}

const Protocol* find_protocol(std::string_view name) {
  for (const Protocol& protocol : protocols())
    if (protocol.name == name) return &protocol;
  return nullptr;
}

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const Protocol& protocol : protocols()) names.push_back(protocol.name);
  return names;
}

const Protocol& protocol_named(std::string_view name) {
  if (const Protocol* protocol = find_protocol(name)) return *protocol;
  const std::vector<std::string> names = protocol_names();
  cluster::throw_usage("protocol '" + std::string(name) + "' is unknown" +
                       cluster::did_you_mean(name, names) + "; expected one of " +
                       cluster::join(names));
}

Protocol with_network(Protocol protocol, const std::string& network) {
  if (protocol.network != "inception" || protocol.layer != kLastLayer)
    cluster::throw_usage("protocol " + protocol.name + " takes no other network than its own");
  protocol.follows = "as " + protocol.name + ", with network " + network + " instead of Inception";
  protocol.name += " (" + network + ")";
  protocol.verified = false;
  protocol.unverified_because = "the tool does not use this network";
  protocol.network = "torchscript";
  protocol.resize = protocol.range = protocol.layer = protocol.manifold_network = "";
  protocol.manifold_half = protocol.crop = false;
  std::erase_if(protocol.metrics, [](const std::string& metric) {
    return metric == "inception_score" || metric == "sfid";
  });
  return protocol;
}

}  // namespace marquee::experiments
