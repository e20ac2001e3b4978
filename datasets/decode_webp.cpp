#include <string>

#include <webp/decode.h>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {

Image decode_webp(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPBitstreamFeatures features{};
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK)
    cluster::throw_environment("damaged WebP: its header cannot be read");
  check_image_size(features.width, features.height, options);
  if (features.has_animation != 0)
    cluster::throw_environment("animated WebP: only still ones are read");
  Image image{features.height, features.width, {}};
  image.rgb.resize(static_cast<std::size_t>(features.height) *
                   static_cast<std::size_t>(features.width) * 3);
  if (WebPDecodeRGBInto(data, bytes.size(), image.rgb.data(), image.rgb.size(),
                        features.width * 3) == nullptr) {
    cluster::throw_environment("damaged WebP: its pixels cannot be read");
  }
  return image;
}

}  // namespace marquee::datasets
