#include "cluster/json_text.h"

#include <nlohmann/json.hpp>

namespace marquee::cluster {

std::string plain_text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace marquee::cluster
