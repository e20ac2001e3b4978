// A pretrained base in memory: tokenizer, transformer and the feature network of its profile.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "experiments/base_manifest.h"
#include "workers/models/feature_network.h"
#include "workers/models/parameters.h"
#include "workers/models/tokenizer.h"
#include "workers/models/transformer.h"

namespace marquee::workers {

struct BaseModel {
  TokenizerConfig tokenizer_config;
  TransformerConfig transformer_config;
  FeatureConfig feature_config;
  ParameterMap tokenizer, transformer, features;  // float32
  std::string base_hash, network_hash;
  std::string tokenizer_hash;  // of its file
  std::string version;
};

nlohmann::json to_json(const TokenizerConfig& config);
nlohmann::json to_json(const TransformerConfig& config);
nlohmann::json to_json(const FeatureConfig& config);
// Throw environment naming `where` and the key; sizes are bounded.
TokenizerConfig tokenizer_config_from(const nlohmann::json& config, const std::string& where);
TransformerConfig transformer_config_from(const nlohmann::json& config, const std::string& where);
FeatureConfig feature_config_from(const nlohmann::json& config, const std::string& where);

// Checks sizes and hashes of the files, reads them, converts to float32 and checks names and
// shapes.
BaseModel load_base(const experiments::BaseManifest& manifest);

// Writes the three networks as fp16 safetensors and manifest.json into `folder`, durably. Returns
// what was written.
experiments::BaseManifest save_base(const BaseModel& base, const std::filesystem::path& folder,
                                    const nlohmann::json& provenance);

}  // namespace marquee::workers
