#include "workers/base_model.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

using experiments::BaseManifest;

using nlohmann::json;

std::string where(const BaseManifest& manifest, const std::string& network) {
  return (manifest.folder / "manifest.json").string() + ": files." + network + ".config";
}

ParameterMap weights_of(const BaseManifest& manifest, const std::string& network,
                        const ShapeMap& shapes) {
  const std::filesystem::path path = experiments::weight_path(manifest, manifest.files.at(network));
  ParameterMap weights = read_safetensors(path);
  check_parameters(weights, shapes, path.string());
  return weights;
}

// Network `name` in the type of `weights`, durably.
experiments::WeightFile save_network(const std::string& name, const ParameterMap& weights,
                                     const json& config, const std::filesystem::path& folder) {
  experiments::WeightFile entry;
  entry.file = name + ".safetensors";
  entry.sha256 = write_safetensors(folder / entry.file, weights);
  entry.bytes = static_cast<std::int64_t>(std::filesystem::file_size(folder / entry.file));
  entry.numbers = count_parameters(weights);
  entry.config = config;
  return entry;
}

}  // namespace

std::int64_t BaseTransformer::latent() const {
  return std::visit([](const auto& sizes) { return sizes.latent; }, config);
}
std::int64_t BaseTransformer::tokens() const {
  return std::visit([](const auto& sizes) { return sizes.tokens(); }, config);
}
std::int64_t BaseTransformer::classes() const {
  return std::visit([](const auto& sizes) { return sizes.classes; }, config);
}

ShapeMap transformer_shapes(const AnyTransformerConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt_shapes(*gpt);
  return transformer_shapes(std::get<TransformerConfig>(config));
}

BaseModel load_base(const BaseManifest& manifest) {
  experiments::verify_base(manifest);
  BaseModel base;
  const BaseTokenizer::Config tokenizer =
      tokenizer_config_from(manifest.files.at("tokenizer").config, where(manifest, "tokenizer"));
  base.tokenizer = BaseTokenizer(
      tokenizer,
      converted(weights_of(manifest, "tokenizer", tokenizer_shapes(tokenizer)), torch::kFloat32));
  BaseTransformer& transformer = base.transformer;
  transformer.config = transformer_config_from(manifest.files.at("transformer").config,
                                               where(manifest, "transformer"));
  if (base.tokenizer.codebook() != codebook_of(transformer.config) ||
      base.tokenizer.latent() != transformer.latent()) {
    cluster::throw_environment((manifest.folder / "manifest.json").string() +
                               ": tokenizer and transformer differ in codebook or latent side");
  }
  transformer.weights = weights_of(manifest, "transformer", transformer_shapes(transformer.config));
  const bool keep = transformer.weights.begin()->second.scalar_type() == torch::kBFloat16;
  transformer.weights = converted(transformer.weights, keep ? torch::kBFloat16 : torch::kFloat32);
  if (manifest.files.contains("features")) {
    base.feature_config =
        feature_config_from(manifest.files.at("features").config, where(manifest, "features"));
    base.features = converted(weights_of(manifest, "features", feature_shapes(base.feature_config)),
                              torch::kFloat32);
    base.network_hash = experiments::network_hash(manifest);
  }
  base.base_hash = experiments::base_hash(manifest);
  base.tokenizer_hash = manifest.files.at("tokenizer").sha256;
  base.version = manifest.version;
  return base;
}

BaseManifest save_base(const BaseModel& base, const std::filesystem::path& folder,
                       const json& provenance,
                       const std::map<std::string, experiments::WeightFile>& borrowed) {
  cluster::create_directories_durably(folder);
  BaseManifest manifest;
  manifest.folder = folder;
  manifest.name = folder.filename().string();
  manifest.version = base.version;
  manifest.provenance = provenance;
  manifest.files = borrowed;
  const auto save = [&](const std::string& network, const ParameterMap& weights,
                        const json& config) {
    if (weights.empty() || borrowed.contains(network)) return;
    manifest.files[network] =
        save_network(network, converted(weights, torch::kFloat16), config, folder);
  };
  save("tokenizer", base.tokenizer.weights(), to_json(base.tokenizer.config()));
  save("transformer", base.transformer.weights, to_json(base.transformer.config));
  save("features", base.features, to_json(base.feature_config));
  cluster::write_file_durably(folder / "manifest.json",
                              experiments::to_json(manifest).dump(2) + "\n");
  return manifest;
}

}  // namespace marquee::workers
