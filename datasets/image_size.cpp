#include "datasets/image_size.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace marquee::datasets {
namespace {

using Bytes = std::span<const std::byte>;

int number_at(Bytes bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return static_cast<int>(value);
}

// A frame header: SOF0 to SOF15 but the three numbers that mean something else.
bool is_frame(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

std::optional<std::pair<int, int>> jpeg_size(Bytes bytes) {
  for (std::size_t at = 2; at + 9 <= bytes.size();) {
    if (bytes[at] != std::byte{0xFF}) return std::nullopt;
    const int marker = number_at(bytes, at + 1, 1);
    if (marker == 0xFF) {  // filling
      ++at;
      continue;
    }
    if (is_frame(marker))
      return std::pair(number_at(bytes, at + 5, 2), number_at(bytes, at + 7, 2));
    at += 2 + static_cast<std::size_t>(number_at(bytes, at + 2, 2));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::pair<int, int>> declared_image_size(Bytes bytes) {
  constexpr std::array kPng{std::byte{0x89}, std::byte{'P'}, std::byte{'N'}, std::byte{'G'}};
  constexpr std::array kJpeg{std::byte{0xFF}, std::byte{0xD8}};
  const auto starts_with = [&](const auto& magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
  };
  std::optional<std::pair<int, int>> size;
  if (starts_with(kPng) && bytes.size() >= 24)
    size = std::pair(number_at(bytes, 20, 4), number_at(bytes, 16, 4));
  if (starts_with(kJpeg)) size = jpeg_size(bytes);
  return size && size->first > 0 && size->second > 0 ? size : std::nullopt;
}

}  // namespace marquee::datasets
