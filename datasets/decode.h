// Image bytes to RGB, by content (names lie): JPEG, PNG, WebP, GIF (its first frame), BMP. Grey is
// repeated, alpha dropped without blending, 16-bit channels keep their high byte, EXIF orientation
// is left alone: as TensorFlow and Pillow do. JPEG is decoded with the accurate inverse DCT and
// smooth chroma upsampling, bit for bit what Pillow gives. The declared size is checked before
// anything is allocated.
//
// Thread safe. Runs in trainers and in `marquee data` only, never in the coordinator or an agent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "datasets/data_folder.h"
#include "datasets/image.h"

namespace marquee::datasets {

struct DecodeOptions {
  std::int64_t max_pixels = std::int64_t{64} << 20;
  int max_side = 30000;
  // TensorFlow's default for JPEG: the fast inverse DCT, about one grey level darker.
  bool fast_dct = false;
};

inline DecodeOptions decode_options(const DataFolder& data) {
  DecodeOptions options;
  options.fast_dct = data.fast_dct;
  return options;
}

// Throws environment, saying what is wrong, for bytes that are no whole image within the limits.
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {});

}  // namespace marquee::datasets
