// One decoder a file format, behind decode_image(). Each checks the declared size before it
// allocates, and throws environment, saying what is wrong with which format, for damaged bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "datasets/decode.h"

namespace marquee::datasets {

void check_image_size(std::int64_t width, std::int64_t height, const DecodeOptions& options);

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options);
Image decode_png(std::span<const std::byte> bytes, const DecodeOptions& options);
Image decode_webp(std::span<const std::byte> bytes, const DecodeOptions& options);
// The first frame, on a canvas of the background's colour.
Image decode_gif(std::span<const std::byte> bytes, const DecodeOptions& options);
// 1 to 32 bits a pixel, palettes, bit fields, run lengths.
Image decode_bmp(std::span<const std::byte> bytes, const DecodeOptions& options);

}  // namespace marquee::datasets
