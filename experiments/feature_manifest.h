// Feature networks in the assets folder: assets/features/<name>/{manifest.json, weights}, made by
// `marquee import features`.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace marquee::experiments {

inline constexpr const char* kInceptionNetwork = "inception";      // the FID Inception
inline constexpr const char* kTorchScriptNetwork = "torchscript";  // code of whoever wrote it

struct FeatureManifest {
  std::filesystem::path folder;
  std::string name, kind, sha256;  // of the weights here
  std::string source_file, source_sha256, published_as;
  nlohmann::json input;  // of torchscript: how images are fed to it

  std::filesystem::path weights() const;
  // What results call it by: the file that was published, so that numbers made from that file
  // itself are the same numbers.
  const std::string& hash() const { return source_sha256; }
};

std::filesystem::path feature_folder(const std::filesystem::path& assets, const std::string& name);
nlohmann::json to_json(const FeatureManifest& manifest);
// Throws environment: saying how to get the network where it is not there, naming the file where it
// is damaged.
FeatureManifest load_feature_manifest(const std::filesystem::path& assets, const std::string& name);
// Throws environment where the weights are not those that were imported.
void verify_features(const FeatureManifest& manifest);

}  // namespace marquee::experiments
