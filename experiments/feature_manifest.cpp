#include "experiments/feature_manifest.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kManifest = "manifest.json";
constexpr std::size_t kLargest = 1 << 20;

}  // namespace

fs::path FeatureManifest::weights() const {
  return folder / (kind == kTorchScriptNetwork ? "network.pt" : "weights.safetensors");
}

fs::path feature_folder(const fs::path& assets, const std::string& name) {
  return assets / "features" / name;
}

json to_json(const FeatureManifest& manifest) {
  json content{{"name", manifest.name},
               {"kind", manifest.kind},
               {"sha256", manifest.sha256},
               {"source",
                {{"file", manifest.source_file},
                 {"sha256", manifest.source_sha256},
                 {"published_as", manifest.published_as}}}};
  if (!manifest.input.is_null()) content["input"] = manifest.input;
  return content;
}

FeatureManifest load_feature_manifest(const fs::path& assets, const std::string& name) {
  FeatureManifest manifest;
  manifest.folder = feature_folder(assets, name);
  const fs::path file = manifest.folder / kManifest;
  if (!fs::exists(file)) {
    const std::string how =
        name == kInceptionNetwork
            ? "download pt_inception-2015-12-05-6726825d.pth, then run marquee import features FILE"
            : "marquee import features FILE --name " + name + " brings it there";
    cluster::throw_environment(manifest.folder.string() + ": no feature network; " + how);
  }
  try {
    const json content = json::parse(cluster::read_file(file, kLargest));
    const json& source = content.at("source");
    manifest.name = name;
    manifest.kind = content.at("kind");
    manifest.sha256 = content.at("sha256");
    manifest.source_file = source.at("file");
    manifest.source_sha256 = source.at("sha256");
    manifest.published_as = source.at("published_as");
    if (content.contains("input")) manifest.input = content["input"];
  } catch (const json::exception& error) {
    cluster::throw_environment(file.string() + ": " + error.what());
  }
  return manifest;
}

void verify_features(const FeatureManifest& manifest) {
  if (cluster::sha256_file(manifest.weights()) != manifest.sha256)
    cluster::throw_environment(manifest.weights().string() +
                               ": damaged: not the file that was imported");
}

}  // namespace marquee::experiments
