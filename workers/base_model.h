// A pretrained base in memory: tokenizer, transformer and the feature network of its profile.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "experiments/base_manifest.h"
#include "workers/base_tokenizer.h"
#include "workers/network_configs.h"

namespace marquee::workers {

struct BaseTransformer {
  AnyTransformerConfig config;
  // float32, or bfloat16 where the file holds that. Read only: they may lie in the mapped file.
  ParameterMap weights;

  std::int64_t latent() const;   // grid side
  std::int64_t tokens() const;   // N
  std::int64_t classes() const;  // of pretraining
};

ShapeMap transformer_shapes(const AnyTransformerConfig& config);

struct BaseModel {
  BaseTokenizer tokenizer;  // float32
  BaseTransformer transformer;
  FeatureConfig feature_config;
  ParameterMap features;  // float32; empty: the base has no feature network
  std::string base_hash;
  std::string network_hash;    // empty without a feature network
  std::string tokenizer_hash;  // of its file
  std::string version;
};

// Checks sizes and hashes of the files, maps them and checks names and shapes. float32 weights stay
// in the mapped file, whose pages all trainers of a host share; others are converted.
BaseModel load_base(const experiments::BaseManifest& manifest);

// Writes the networks as fp16 safetensors and manifest.json into `folder`, durably. Those that
// `borrowed` names are another base's files and are not written. Returns what was written.
experiments::BaseManifest save_base(
    const BaseModel& base, const std::filesystem::path& folder, const nlohmann::json& provenance,
    const std::map<std::string, experiments::WeightFile>& borrowed = {});

}  // namespace marquee::workers
