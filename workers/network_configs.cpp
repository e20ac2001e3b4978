#include "workers/network_configs.h"

#include <type_traits>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "experiments/base_manifest.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxExtent = 1 << 20;  // of any single extent of a network

std::int64_t size_of(const json& config, const char* key, const std::string& where,
                     std::int64_t least = 1) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer() || found->get<std::int64_t>() < least ||
      found->get<std::int64_t>() > kMaxExtent) {
    cluster::throw_environment(where + ": '" + key + "' is missing or no whole number from " +
                               std::to_string(least) + " to " + std::to_string(kMaxExtent));
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

void check_heads(std::int64_t width, std::int64_t heads, const std::string& where) {
  if (width % heads != 0) cluster::throw_environment(where + ": width must be a multiple of heads");
}

// Calls `visit(key, member, least)` for every size of a network, in one place for reading and
// writing. `least`: of a number, or of the length of a list.
template <typename Config, typename Visit>
void visit_sizes(Config& config, Visit visit) {
  using Network = std::remove_const_t<Config>;
  constexpr std::int64_t kNone = 0, kOne = 1;
  if constexpr (std::is_same_v<Network, TokenizerConfig>) {
    visit("filters", config.filters, kOne);
    visit("multipliers", config.multipliers, kOne);
    visit("blocks", config.blocks, kOne);
    visit("embedding", config.embedding, kOne);
    visit("codebook", config.codebook, kOne);
    visit("image_size", config.image_size, kOne);
    visit("groups", config.groups, kOne);
  } else if constexpr (std::is_same_v<Network, VqganConfig>) {
    visit("filters", config.filters, kOne);
    visit("multipliers", config.multipliers, kOne);
    visit("blocks", config.blocks, kOne);
    visit("attention_resolutions", config.attention_resolutions, kNone);
    visit("z_channels", config.z_channels, kOne);
    visit("embedding", config.embedding, kOne);
    visit("codebook", config.codebook, kOne);
    visit("image_size", config.image_size, kOne);
  } else if constexpr (std::is_same_v<Network, FeatureConfig>) {
    visit("channels", config.channels, kOne);
    visit("classes", config.classes, kOne);
    visit("image_size", config.image_size, kOne);
  } else {
    visit("width", config.width, kOne);
    visit("layers", config.layers, kOne);
    visit("heads", config.heads, kOne);
    visit("mlp", config.mlp, kOne);
    visit("codebook", config.codebook, kOne);
    visit("classes", config.classes, kOne);
    visit("latent", config.latent, kOne);
    if constexpr (std::is_same_v<Network, GptConfig>) {
      visit("block_size", config.block_size, kOne);
      visit("unmasked", config.unmasked, kNone);
    }
  }
}

template <typename Config>
Config read_sizes(const json& config, const std::string& where) {
  Config result;
  visit_sizes(result, [&](const char* key, auto& member, std::int64_t least) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, std::int64_t>) {
      member = size_of(config, key, where, least);
    } else {
      member = sizes_of(config, key, where, static_cast<std::size_t>(least));
    }
  });
  return result;
}

template <typename Config>
json write_sizes(const Config& config) {
  json result;
  visit_sizes(config,
              [&](const char* key, const auto& member, std::int64_t) { result[key] = member; });
  if constexpr (std::is_same_v<Config, VqganConfig>) result["family"] = experiments::kTaming;
  if constexpr (std::is_same_v<Config, GptConfig>) result["family"] = experiments::kAutoregressive;
  return result;
}

void check(const TokenizerConfig& config, const std::string& where) {
  if (config.filters % config.groups != 0)
    cluster::throw_environment(where + ": filters must be a multiple of groups");
  check_grid(config.image_size, config.multipliers.size(), where);
}
void check(const VqganConfig& config, const std::string& where) {
  check_grid(config.image_size, config.multipliers.size(), where);
}
void check(const TransformerConfig& config, const std::string& where) {
  check_heads(config.width, config.heads, where);
}
void check(const GptConfig& config, const std::string& where) {
  check_heads(config.width, config.heads, where);
  if (config.block_size < config.tokens())
    cluster::throw_environment(where + ": block_size must be at least latent * latent");
  if (config.classes > config.codebook)
    cluster::throw_environment(where + ": classes share the table of the codes and cannot be more");
}

// The second of two kinds of network where `family` says so, else the first.
template <typename First, typename Second>
std::variant<First, Second> read_either(const json& config, const std::string& where,
                                        const char* first, const char* second) {
  const auto read = [&](auto result) -> std::variant<First, Second> {
    result = read_sizes<decltype(result)>(config, where);
    check(result, where);
    return result;
  };
  const bool is_second = experiments::network_family(config, where, {first, second}) == second;
  return is_second ? read(Second{}) : read(First{});
}

}  // namespace

json to_json(const BaseTokenizer::Config& config) {
  return std::visit([](const auto& sizes) { return write_sizes(sizes); }, config);
}
json to_json(const AnyTransformerConfig& config) {
  return std::visit([](const auto& sizes) { return write_sizes(sizes); }, config);
}
json to_json(const FeatureConfig& config) {
  return write_sizes(config);
}

BaseTokenizer::Config tokenizer_config_from(const json& config, const std::string& where) {
  return read_either<TokenizerConfig, VqganConfig>(config, where, experiments::kMaskGit,
                                                   experiments::kTaming);
}
AnyTransformerConfig transformer_config_from(const json& config, const std::string& where) {
  return read_either<TransformerConfig, GptConfig>(config, where, experiments::kMasked,
                                                   experiments::kAutoregressive);
}
FeatureConfig feature_config_from(const json& config, const std::string& where) {
  return read_sizes<FeatureConfig>(config, where);
}

std::int64_t codebook_of(const BaseTokenizer::Config& config) {
  return std::visit([](const auto& sizes) { return sizes.codebook; }, config);
}
std::int64_t codebook_of(const AnyTransformerConfig& config) {
  return std::visit([](const auto& sizes) { return sizes.codebook; }, config);
}

}  // namespace marquee::workers
