// An RGB image in memory.
#pragma once

#include <cstdint>
#include <vector>

namespace marquee::datasets {

struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> rgb;  // height * width * 3, row by row, sRGB 0..255
  bool operator==(const Image&) const = default;
};

}  // namespace marquee::datasets
