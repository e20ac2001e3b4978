#include "datasets/encode_png.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <spng.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::datasets {

std::vector<std::byte> encode_png(const Image& image) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER),
                                                               spng_ctx_free);
  const auto check = [](int code) {
    MARQUEE_CHECK(code == 0, std::string("PNG encoder: ") + spng_strerror(code));
  };
  MARQUEE_CHECK(context != nullptr, "no PNG context");
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  check(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check(spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, 6));
  check(spng_set_ihdr(context.get(), &header));
  check(spng_encode_image(context.get(), image.rgb.data(), image.rgb.size(), SPNG_FMT_PNG,
                          SPNG_ENCODE_FINALIZE));
  std::size_t size = 0;
  int code = 0;
  const std::unique_ptr<void, void (*)(void*)> buffer(
      spng_get_png_buffer(context.get(), &size, &code), std::free);
  check(code);
  const auto* bytes = static_cast<const std::byte*>(buffer.get());
  return {bytes, bytes + size};
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<std::byte> bytes = encode_png(image);
  cluster::write_file_durably(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Image make_grid(const std::vector<Image>& images, int columns, int padding) {
  MARQUEE_CHECK(!images.empty() && columns > 0 && padding >= 0, "make_grid: images and columns");
  const int height = images[0].height, width = images[0].width;
  const int count = static_cast<int>(images.size());
  const int rows = (count + columns - 1) / columns;
  Image grid{rows * (height + padding) + padding, columns * (width + padding) + padding, {}};
  grid.rgb.assign(static_cast<std::size_t>(grid.height) * static_cast<std::size_t>(grid.width) * 3,
                  255);
  for (int i = 0; i < count; ++i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    MARQUEE_CHECK(image.height == height && image.width == width, "make_grid: images of one size");
    const int top = padding + (i / columns) * (height + padding);
    const int left = padding + (i % columns) * (width + padding);
    for (int y = 0; y < height; ++y) {
      const auto row = image.rgb.begin() + static_cast<std::ptrdiff_t>(y) * width * 3;
      std::copy(row, row + width * 3,
                grid.rgb.begin() + (static_cast<std::ptrdiff_t>(top + y) * grid.width + left) * 3);
    }
  }
  return grid;
}

}  // namespace marquee::datasets
