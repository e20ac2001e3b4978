// Sizes of networks as JSON, as a base's manifest holds them. `family` tells the two kinds of
// tokenizer (maskgit, taming) and of transformer (masked, autoregressive) apart; without it maskgit
// and masked are meant.
#pragma once

#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "workers/base_tokenizer.h"
#include "workers/models/feature_network.h"
#include "workers/models/gpt.h"
#include "workers/models/transformer.h"

namespace marquee::workers {

using AnyTransformerConfig = std::variant<TransformerConfig, GptConfig>;  // masked, autoregressive

nlohmann::json to_json(const BaseTokenizer::Config& config);
nlohmann::json to_json(const AnyTransformerConfig& config);
nlohmann::json to_json(const FeatureConfig& config);

// Throw environment naming `where` and the key; sizes are bounded.
BaseTokenizer::Config tokenizer_config_from(const nlohmann::json& config, const std::string& where);
AnyTransformerConfig transformer_config_from(const nlohmann::json& config,
                                             const std::string& where);
FeatureConfig feature_config_from(const nlohmann::json& config, const std::string& where);

// Number of codes.
std::int64_t codebook_of(const BaseTokenizer::Config& config);
std::int64_t codebook_of(const AnyTransformerConfig& config);

}  // namespace marquee::workers
