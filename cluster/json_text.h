// A JSON value as people read it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace marquee::cluster {

// A text as it is, without quotes; anything else as JSON.
std::string plain_text(const nlohmann::json& value);

}  // namespace marquee::cluster
