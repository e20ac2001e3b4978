#include "datasets/decode.h"

#include <string>
#include <string_view>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {
namespace {

struct Format {
  std::string_view magic;
  std::size_t at;
  Image (*decode)(std::span<const std::byte>, const DecodeOptions&);
};

constexpr Format kFormats[] = {
    {"\xff\xd8\xff", 0, decode_jpeg}, {"\x89PNG\r\n\x1a\n", 0, decode_png},
    {"WEBP", 8, decode_webp},         {"GIF87a", 0, decode_gif},
    {"GIF89a", 0, decode_gif},        {"BM", 0, decode_bmp}};

}  // namespace

void check_image_size(std::int64_t width, std::int64_t height, const DecodeOptions& options) {
  if (width <= 0 || height <= 0 || width > options.max_side || height > options.max_side ||
      width * height > options.max_pixels) {
    cluster::throw_environment("image declares " + std::to_string(width) + " x " +
                               std::to_string(height) + " pixels; at most " +
                               std::to_string(options.max_pixels) + " in all and " +
                               std::to_string(options.max_side) + " a side are read");
  }
}

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Format& format : kFormats) {
    if (text.size() >= format.at + format.magic.size() &&
        text.substr(format.at, format.magic.size()) == format.magic)
      return format.decode(bytes, options);
  }
  cluster::throw_environment("image of " + std::to_string(bytes.size()) +
                             " bytes is none of JPEG, PNG, WebP, GIF, BMP by its first bytes");
}

}  // namespace marquee::datasets
