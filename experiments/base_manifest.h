// What a base model's folder holds: assets/<base>/manifest.json names the weight files with their
// sizes and SHA-256, the configuration of each network, and how the base was made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace marquee::experiments {

// Kinds of tokenizer and of transformer, as `family` of a network's configuration names them.
inline constexpr const char* kMaskGit = "maskgit";
inline constexpr const char* kTaming = "taming";
inline constexpr const char* kMasked = "masked";
inline constexpr const char* kAutoregressive = "autoregressive";

// `family` of a configuration, the first of `known` where it has none. Throws environment naming
// `where` for anything else.
std::string network_family(const nlohmann::json& config, const std::string& where,
                           std::initializer_list<const char*> known);

struct WeightFile {
  std::string file;  // beside the manifest, or beside that of the base `from`
  std::string sha256;
  std::int64_t bytes = 0;
  std::int64_t numbers = 0;
  nlohmann::json config;  // sizes of the network
  // Of a file that another base in the same assets folder holds: its name and version.
  std::string from{}, version{};
};

struct BaseManifest {
  std::filesystem::path folder;
  std::string name;     // "mini"
  std::string version;  // "mini-v0"
  std::map<std::string, WeightFile>
      files;                  // tokenizer, transformer and, where it has one, features
  nlohmann::json provenance;  // recipe, data, measured quality
};

nlohmann::json to_json(const BaseManifest& manifest);
// Throws environment naming the file and key.
BaseManifest load_base_manifest(const std::filesystem::path& assets_dir, std::string_view base);

std::filesystem::path weight_path(const BaseManifest& manifest, const WeightFile& file);
// masked or autoregressive.
std::string transformer_family(const BaseManifest& manifest);

// Compares size and SHA-256 of every file; throws environment naming the first that differs.
void verify_base(const BaseManifest& manifest);

// Throws usage when the provenance says that the base was pretrained on this task: generating what
// it has seen would say nothing about transfer.
void check_not_pretrained_on(const BaseManifest& manifest, const std::string& task);

// Hash of what generates (tokenizer and transformer) and of what measures (features).
std::string base_hash(const BaseManifest& manifest);
// Throws environment where the base has no feature network.
std::string network_hash(const BaseManifest& manifest);
// Version of the base that the feature network belongs to.
std::string features_version(const BaseManifest& manifest);

// `named` (--assets) if given, else $MARQUEE_ASSETS, else beside the program:
// ../share/marquee/assets of an installation, or assets/ of the source tree that a build folder
// lies in. Throws environment listing the places looked at.
std::filesystem::path find_assets_dir(const std::filesystem::path& named = {});

}  // namespace marquee::experiments
