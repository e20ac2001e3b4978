// What a base model's folder holds: assets/<base>/manifest.json names the weight files with their
// sizes and SHA-256, the configuration of each network, and how the base was made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace marquee::experiments {

struct WeightFile {
  std::string file;  // beside the manifest
  std::string sha256;
  std::int64_t bytes = 0;
  std::int64_t numbers = 0;
  nlohmann::json config;  // sizes of the network
};

struct BaseManifest {
  std::filesystem::path folder;
  std::string name;                         // "mini"
  std::string version;                      // "mini-v0"
  std::map<std::string, WeightFile> files;  // tokenizer, transformer, features
  nlohmann::json provenance;                // recipe, data, measured quality
};

nlohmann::json to_json(const BaseManifest& manifest);
// Throws environment naming the file and key.
BaseManifest load_base_manifest(const std::filesystem::path& assets_dir, std::string_view base);

// Compares size and SHA-256 of every file; throws environment naming the first that differs.
void verify_base(const BaseManifest& manifest);

// Throws usage when the provenance says that the base was pretrained on this task: generating what
// it has seen would say nothing about transfer.
void check_not_pretrained_on(const BaseManifest& manifest, const std::string& task);

// Hash of what generates (tokenizer and transformer) and of what measures (features).
std::string base_hash(const BaseManifest& manifest);
std::string network_hash(const BaseManifest& manifest);

// `named` (--assets) if given, else $MARQUEE_ASSETS, else beside the program:
// ../share/marquee/assets of an installation, or assets/ of the source tree that a build folder
// lies in. Throws environment listing the places looked at.
std::filesystem::path find_assets_dir(const std::filesystem::path& named = {});

}  // namespace marquee::experiments
