// Image bytes to RGB, by content (names lie). JPEG: libjpeg-turbo with the accurate inverse DCT and
// smooth chroma upsampling, bit for bit what Pillow gives; PNG: libspng. Grey is repeated, alpha
// dropped, 16-bit channels keep their high byte. The declared size is checked before anything is
// allocated.
//
// Thread safe. Runs in trainers only, never in the coordinator or an agent.
#pragma once

#include <cstddef>
#include <span>

#include "datasets/image.h"

namespace marquee::datasets {

struct DecodeLimits {
  std::int64_t max_pixels = std::int64_t{64} << 20;
  int max_side = 30000;
};

// Throws environment, saying what is wrong, for bytes that are no whole JPEG or PNG within the
// limits.
Image decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits = {});

}  // namespace marquee::datasets
