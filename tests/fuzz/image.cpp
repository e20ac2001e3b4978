// Image files of one format: the decoder that MARQUEE_FUZZ_DECODER names, so that each format gets
// a time of its own.
#include <bit>
#include <string>

#include <zlib.h>

#include "datasets/decode.h"
#include "datasets/image_formats.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace marquee;

constexpr auto* kDecoder = &datasets::MARQUEE_FUZZ_DECODER;

// Right checksums for the chunks of a PNG: no mutation finds those by itself.
void repair_png(std::string& bytes) {
  const auto u8 = [&](std::size_t at) { return static_cast<std::uint32_t>(bytes[at] & 0xff); };
  for (std::size_t at = 8; bytes.size() > at && bytes.size() - at >= 12;) {
    const std::uint32_t length = u8(at) << 24 | u8(at + 1) << 16 | u8(at + 2) << 8 | u8(at + 3);
    if (length > bytes.size() - at - 12) return;
    const auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + at + 4), length + 4));
    at += 8 + std::size_t{length};
    for (int shift = 24; shift >= 0; shift -= 8) bytes[at++] = static_cast<char>(crc >> shift);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(fuzz::text_of(data, size));
  if (kDecoder == datasets::decode_png) repair_png(bytes);
  for (const bool fast : {false, true}) {
    // Only libjpeg has two ways.
    if (fast && kDecoder != datasets::decode_jpeg) continue;
    fuzz::count_error(fuzz::expect_answer([&] {
      const datasets::Image image =
          kDecoder(std::as_bytes(std::span(bytes)), {std::int64_t{1} << 20, 4096, fast});
      if (image.height <= 0 || image.width <= 0 ||
          image.rgb.size() !=
              static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3)
        __builtin_trap();
      // Which way a picture was decoded shows, roughly, in its shape and first colour.
      const auto width_of = [](int value) { return std::bit_width(static_cast<unsigned>(value)); };
      fuzz::count_outcome("shape " + std::to_string(width_of(image.height)) + " " +
                          std::to_string(width_of(image.width)));
      fuzz::count_outcome("colour " + std::to_string(image.rgb[0] >> 6) + " " +
                          std::to_string(image.rgb[1] >> 6) + " " +
                          std::to_string(image.rgb[2] >> 6));
    }));
  }
  return 0;
}
