#include "datasets/json_file.h"

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::datasets {

nlohmann::json read_json_file(const std::filesystem::path& file) {
  using nlohmann::json;
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{16} << 20;
  constexpr int kDeepest = 64;
  bool too_deep = false;
  // What the callback declines is not built.
  const auto keep = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kDeepest;
    return depth <= kDeepest;
  };
  json content = json::parse(cluster::read_file(file, kMaxBytes), keep, /*allow_exceptions=*/false);
  if (too_deep) {
    cluster::throw_environment(file.string() + ": is nested more than " + std::to_string(kDeepest) +
                               " deep");
  }
  return content;
}

}  // namespace marquee::datasets
