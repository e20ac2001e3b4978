#include <memory>
#include <string>

#include <spng.h>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {

Image decode_png(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
  MARQUEE_CHECK(context != nullptr, "no PNG context");
  const auto check = [](int code) {
    if (code != 0) cluster::throw_environment(std::string("damaged PNG: ") + spng_strerror(code));
  };
  check(spng_set_image_limits(context.get(), static_cast<std::uint32_t>(options.max_side),
                              static_cast<std::uint32_t>(options.max_side)));
  constexpr std::size_t kMaxChunk = std::size_t{64} << 20;
  check(spng_set_chunk_limits(context.get(), kMaxChunk, kMaxChunk));
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  spng_ihdr header{};
  check(spng_get_ihdr(context.get(), &header));
  check_image_size(header.width, header.height, options);
  std::size_t size = 0;
  check(spng_decoded_image_size(context.get(), SPNG_FMT_RGB8, &size));
  Image image{static_cast<int>(header.height), static_cast<int>(header.width), {}};
  MARQUEE_CHECK(
      size == static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3,
      "PNG size");
  image.rgb.resize(size);
  check(spng_decode_image(context.get(), image.rgb.data(), image.rgb.size(), SPNG_FMT_RGB8, 0));
  return image;
}

}  // namespace marquee::datasets
