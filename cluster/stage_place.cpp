#include "cluster/stage_place.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

constexpr std::string_view kUnits = "KMGT";
constexpr double kMostBytes = 1e18;

std::optional<std::int64_t> bytes_of(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || rest == end) return std::nullopt;
  const std::size_t unit = kUnits.find(*rest);
  const std::string_view ending(rest + 1, static_cast<std::size_t>(end - rest - 1));
  if (unit == std::string_view::npos || !(ending.empty() || ending == "B" || ending == "iB"))
    return std::nullopt;
  const double bytes = std::round(number * std::pow(1024.0, static_cast<double>(unit + 1)));
  if (!(bytes >= 1) || bytes > kMostBytes) return std::nullopt;
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

StagePlace parse_stage_place(const std::string& text) {
  StagePlace place;
  if (text.empty()) return place;
  const std::size_t colon = text.rfind(':');
  const std::string folder = text.substr(0, colon);
  if (colon != std::string::npos) {
    const auto bytes = bytes_of(std::string_view(text).substr(colon + 1));
    if (bytes) place.limit_bytes = *bytes;
  }
  const bool fits = !folder.empty() && folder.find(':') == std::string::npos &&
                    (colon == std::string::npos || place.limit_bytes > 0);
  if (!fits) {
    throw_usage("the stage (--stage, MARQUEE_STAGE) is '" + text +
                "'; expected DIR or DIR:SIZE, such as /scratch:200G (K, M, G or T)");
  }
  place.folder = std::filesystem::absolute(folder).lexically_normal();
  return place;
}

std::string to_text(const StagePlace& place) {
  if (place.folder.empty() || place.limit_bytes == 0) return place.folder.string();
  char text[64];
  const auto [end, error] =
      std::to_chars(std::begin(text), std::end(text), static_cast<double>(place.limit_bytes) / 1024,
                    std::chars_format::fixed);
  MARQUEE_CHECK(error == std::errc(), "size as text");
  return place.folder.string() + ":" + std::string(text, end) + "K";
}

StagePlace find_stage_place(const std::string& named) {
  const char* variable = std::getenv("MARQUEE_STAGE");
  return parse_stage_place(named.empty() && variable != nullptr ? variable : named);
}

}  // namespace marquee::cluster
