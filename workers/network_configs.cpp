#include "workers/network_configs.h"

#include <limits>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "experiments/base_manifest.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxSize = 1 << 20;  // of any single extent of a network

std::int64_t size_of(const json& config, const char* key, const std::string& where,
                     std::int64_t least = 1) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer() || found->get<std::int64_t>() < least ||
      found->get<std::int64_t>() > kMaxSize) {
    cluster::throw_environment(where + ": '" + key + "' is missing or no whole number from " +
                               std::to_string(least) + " to " + std::to_string(kMaxSize));
  }
  return found->get<std::int64_t>();
}

std::vector<std::int64_t> sizes_of(const json& config, const char* key, const std::string& where,
                                   std::size_t least = 1) {
  constexpr std::size_t kMost = 16;
  const auto found = config.find(key);
  if (found == config.end() || !found->is_array() || found->size() < least ||
      found->size() > kMost) {
    cluster::throw_environment(where + ": '" + key + "' is missing or no list of " +
                               std::to_string(least) + " to " + std::to_string(kMost) + " numbers");
  }
  std::vector<std::int64_t> sizes;
  for (const json& entry : *found) sizes.push_back(size_of(json{{key, entry}}, key, where));
  return sizes;
}

// The square grid of a tokenizer that halves the image once a level but the last.
void check_grid(std::int64_t image_size, std::size_t levels, const std::string& where) {
  if (levels > 12 || image_size % (std::int64_t{1} << (levels - 1)) != 0)
    cluster::throw_environment(where + ": image_size cannot be halved once for each multiplier");
}

TokenizerConfig maskgit_config(const json& config, const std::string& where) {
  TokenizerConfig result{size_of(config, "filters", where),  sizes_of(config, "multipliers", where),
                         size_of(config, "blocks", where),   size_of(config, "embedding", where),
                         size_of(config, "codebook", where), size_of(config, "image_size", where),
                         size_of(config, "groups", where)};
  if (result.filters % result.groups != 0)
    cluster::throw_environment(where + ": filters must be a multiple of groups");
  check_grid(result.image_size, result.multipliers.size(), where);
  return result;
}

VqganConfig taming_config(const json& config, const std::string& where) {
  VqganConfig result{size_of(config, "filters", where),
                     sizes_of(config, "multipliers", where),
                     size_of(config, "blocks", where),
                     sizes_of(config, "attention_resolutions", where, /*least=*/0),
                     size_of(config, "z_channels", where),
                     size_of(config, "embedding", where),
                     size_of(config, "codebook", where),
                     size_of(config, "image_size", where)};
  check_grid(result.image_size, result.multipliers.size(), where);
  return result;
}

TransformerConfig masked_config(const json& config, const std::string& where) {
  return {size_of(config, "width", where),    size_of(config, "layers", where),
          size_of(config, "heads", where),    size_of(config, "mlp", where),
          size_of(config, "codebook", where), size_of(config, "classes", where),
          size_of(config, "latent", where)};
}

GptConfig autoregressive_config(const json& config, const std::string& where) {
  GptConfig result{size_of(config, "width", where),
                   size_of(config, "layers", where),
                   size_of(config, "heads", where),
                   size_of(config, "mlp", where),
                   size_of(config, "codebook", where),
                   size_of(config, "block_size", where),
                   size_of(config, "classes", where),
                   size_of(config, "latent", where),
                   size_of(config, "unmasked", where, /*least=*/0)};
  if (result.block_size < result.tokens())
    cluster::throw_environment(where + ": block_size must be at least latent * latent");
  if (result.classes > result.codebook)
    cluster::throw_environment(where + ": classes share the table of the codes and cannot be more");
  return result;
}

}  // namespace

json to_json(const TokenizerConfig& config) {
  return {{"filters", config.filters},   {"multipliers", config.multipliers},
          {"blocks", config.blocks},     {"embedding", config.embedding},
          {"codebook", config.codebook}, {"image_size", config.image_size},
          {"groups", config.groups}};
}
json to_json(const VqganConfig& config) {
  return {{"family", experiments::kTaming},
          {"filters", config.filters},
          {"multipliers", config.multipliers},
          {"blocks", config.blocks},
          {"attention_resolutions", config.attention_resolutions},
          {"z_channels", config.z_channels},
          {"embedding", config.embedding},
          {"codebook", config.codebook},
          {"image_size", config.image_size}};
}
json to_json(const TransformerConfig& config) {
  return {{"width", config.width},  {"layers", config.layers},     {"heads", config.heads},
          {"mlp", config.mlp},      {"codebook", config.codebook}, {"classes", config.classes},
          {"latent", config.latent}};
}
json to_json(const GptConfig& config) {
  return {{"family", experiments::kAutoregressive},
          {"width", config.width},
          {"layers", config.layers},
          {"heads", config.heads},
          {"mlp", config.mlp},
          {"codebook", config.codebook},
          {"block_size", config.block_size},
          {"classes", config.classes},
          {"latent", config.latent},
          {"unmasked", config.unmasked}};
}
json to_json(const FeatureConfig& config) {
  return {{"channels", config.channels},
          {"classes", config.classes},
          {"image_size", config.image_size}};
}

BaseTokenizer::Config tokenizer_config_from(const json& config, const std::string& where) {
  if (experiments::network_family(config, where, {experiments::kMaskGit, experiments::kTaming}) ==
      experiments::kTaming)
    return taming_config(config, where);
  return maskgit_config(config, where);
}

AnyTransformerConfig transformer_config_from(const json& config, const std::string& where) {
  const bool autoregressive =
      experiments::network_family(config, where,
                                  {experiments::kMasked, experiments::kAutoregressive}) ==
      experiments::kAutoregressive;
  AnyTransformerConfig result = autoregressive
                                    ? AnyTransformerConfig(autoregressive_config(config, where))
                                    : AnyTransformerConfig(masked_config(config, where));
  std::visit(
      [&](const auto& sizes) {
        if (sizes.width % sizes.heads != 0)
          cluster::throw_environment(where + ": width must be a multiple of heads");
      },
      result);
  return result;
}

FeatureConfig feature_config_from(const json& config, const std::string& where) {
  return {sizes_of(config, "channels", where), size_of(config, "classes", where),
          size_of(config, "image_size", where)};
}

}  // namespace marquee::workers
