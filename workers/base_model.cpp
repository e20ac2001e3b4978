#include "workers/base_model.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxSize = 1 << 20;  // of any single extent of a network

std::int64_t size_of(const json& config, const char* key, const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer() || found->get<std::int64_t>() < 1 ||
      found->get<std::int64_t>() > kMaxSize) {
    cluster::throw_environment(where + ": '" + key + "' is missing or no whole number from 1 to " +
                               std::to_string(kMaxSize));
  }
  return found->get<std::int64_t>();
}

std::vector<std::int64_t> sizes_of(const json& config, const char* key, const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_array() || found->empty() || found->size() > 16) {
    cluster::throw_environment(where + ": '" + key + "' is missing or no list of 1 to 16 numbers");
  }
  std::vector<std::int64_t> sizes;
  for (const json& entry : *found) sizes.push_back(size_of(json{{key, entry}}, key, where));
  return sizes;
}

}  // namespace

json to_json(const TokenizerConfig& config) {
  return {{"filters", config.filters},   {"multipliers", config.multipliers},
          {"blocks", config.blocks},     {"embedding", config.embedding},
          {"codebook", config.codebook}, {"image_size", config.image_size},
          {"groups", config.groups}};
}
json to_json(const TransformerConfig& config) {
  return {{"width", config.width},  {"layers", config.layers},     {"heads", config.heads},
          {"mlp", config.mlp},      {"codebook", config.codebook}, {"classes", config.classes},
          {"latent", config.latent}};
}
json to_json(const FeatureConfig& config) {
  return {{"channels", config.channels},
          {"classes", config.classes},
          {"image_size", config.image_size}};
}

TokenizerConfig tokenizer_config_from(const json& config, const std::string& where) {
  TokenizerConfig result{size_of(config, "filters", where),  sizes_of(config, "multipliers", where),
                         size_of(config, "blocks", where),   size_of(config, "embedding", where),
                         size_of(config, "codebook", where), size_of(config, "image_size", where),
                         size_of(config, "groups", where)};
  if (result.filters % result.groups != 0)
    cluster::throw_environment(where + ": filters must be a multiple of groups");
  return result;
}

TransformerConfig transformer_config_from(const json& config, const std::string& where) {
  TransformerConfig result{size_of(config, "width", where),    size_of(config, "layers", where),
                           size_of(config, "heads", where),    size_of(config, "mlp", where),
                           size_of(config, "codebook", where), size_of(config, "classes", where),
                           size_of(config, "latent", where)};
  if (result.width % result.heads != 0)
    cluster::throw_environment(where + ": width must be a multiple of heads");
  return result;
}

FeatureConfig feature_config_from(const json& config, const std::string& where) {
  return {sizes_of(config, "channels", where), size_of(config, "classes", where),
          size_of(config, "image_size", where)};
}

BaseModel load_base(const experiments::BaseManifest& manifest) {
  experiments::verify_base(manifest);
  const auto where = [&](const char* network) {
    return (manifest.folder / "manifest.json").string() + ": files." + network + ".config";
  };
  const auto weights = [&](const char* network, const ShapeMap& shapes) {
    const std::filesystem::path path = manifest.folder / manifest.files.at(network).file;
    ParameterMap parameters = converted(read_safetensors(path), torch::kFloat32);
    check_parameters(parameters, shapes, path.string());
    return parameters;
  };
  BaseModel base;
  base.tokenizer_config =
      tokenizer_config_from(manifest.files.at("tokenizer").config, where("tokenizer"));
  base.transformer_config =
      transformer_config_from(manifest.files.at("transformer").config, where("transformer"));
  base.feature_config =
      feature_config_from(manifest.files.at("features").config, where("features"));
  if (base.tokenizer_config.codebook != base.transformer_config.codebook ||
      base.tokenizer_config.latent() != base.transformer_config.latent) {
    cluster::throw_environment((manifest.folder / "manifest.json").string() +
                               ": tokenizer and transformer differ in codebook or latent side");
  }
  base.tokenizer = weights("tokenizer", tokenizer_shapes(base.tokenizer_config));
  base.transformer = weights("transformer", transformer_shapes(base.transformer_config));
  base.features = weights("features", feature_shapes(base.feature_config));
  base.base_hash = experiments::base_hash(manifest);
  base.network_hash = experiments::network_hash(manifest);
  base.tokenizer_hash = manifest.files.at("tokenizer").sha256;
  base.version = manifest.version;
  return base;
}

experiments::BaseManifest save_base(const BaseModel& base, const std::filesystem::path& folder,
                                    const json& provenance) {
  cluster::create_directories_durably(folder);
  experiments::BaseManifest manifest;
  manifest.folder = folder;
  manifest.name = folder.filename().string();
  manifest.version = base.version;
  manifest.provenance = provenance;
  const auto save = [&](const char* network, const ParameterMap& parameters, const json& config) {
    experiments::WeightFile& entry = manifest.files[network];
    entry.file = std::string(network) + ".safetensors";
    write_safetensors(folder / entry.file, converted(parameters, torch::kFloat16));
    entry.sha256 = cluster::sha256_file(folder / entry.file);
    entry.bytes = static_cast<std::int64_t>(std::filesystem::file_size(folder / entry.file));
    entry.numbers = count_parameters(parameters);
    entry.config = config;
  };
  save("tokenizer", base.tokenizer, to_json(base.tokenizer_config));
  save("transformer", base.transformer, to_json(base.transformer_config));
  save("features", base.features, to_json(base.feature_config));
  cluster::write_file_durably(folder / "manifest.json",
                              experiments::to_json(manifest).dump(2) + "\n");
  return manifest;
}

}  // namespace marquee::workers
