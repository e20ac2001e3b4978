#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gif_lib.h>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {
namespace {

int read_bytes(GifFileType* gif, GifByteType* out, int count) {
  auto& left = *static_cast<std::span<const std::byte>*>(gif->UserData);
  const std::size_t taken = std::min(left.size(), static_cast<std::size_t>(std::max(0, count)));
  if (taken > 0) std::memcpy(out, left.data(), taken);
  left = left.subspan(taken);
  return static_cast<int>(taken);
}

[[noreturn]] void fail(const std::string& what) {
  cluster::throw_environment("damaged GIF: " + what);
}

void check(int status, const GifFileType* gif) {
  if (status == GIF_OK) return;
  const char* reason = GifErrorString(gif->Error);
  fail(reason != nullptr ? reason : "cannot be read");
}

// Row of the frame that the stored line holds: interlaced ones come in four passes.
std::vector<int> row_order(int height, bool interlaced) {
  std::vector<int> rows;
  if (!interlaced) {
    for (int row = 0; row < height; ++row) rows.push_back(row);
    return rows;
  }
  constexpr int kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass)
    for (int row = kStart[pass]; row < height; row += kStep[pass]) rows.push_back(row);
  return rows;
}

}  // namespace

Image decode_gif(std::span<const std::byte> bytes, const DecodeOptions& options) {
  std::span<const std::byte> left = bytes;
  int error = 0;
  const auto close = [](GifFileType* gif) { DGifCloseFile(gif, nullptr); };
  const std::unique_ptr<GifFileType, decltype(close)> gif(DGifOpen(&left, read_bytes, &error),
                                                          close);
  if (!gif) {
    const char* reason = GifErrorString(error);
    fail(reason != nullptr ? reason : "its header cannot be read");
  }
  check_image_size(gif->SWidth, gif->SHeight, options);
  const std::int64_t width = gif->SWidth;

  GifRecordType record = UNDEFINED_RECORD_TYPE;
  while (record != IMAGE_DESC_RECORD_TYPE) {
    check(DGifGetRecordType(gif.get(), &record), gif.get());
    if (record == TERMINATE_RECORD_TYPE) fail("it holds no image");
    if (record != EXTENSION_RECORD_TYPE) continue;
    int code = 0;
    GifByteType* block = nullptr;
    check(DGifGetExtension(gif.get(), &code, &block), gif.get());
    while (block != nullptr) check(DGifGetExtensionNext(gif.get(), &block), gif.get());
  }
  check(DGifGetImageDesc(gif.get()), gif.get());
  const GifImageDesc& frame = gif->Image;
  if (frame.Left < 0 || frame.Top < 0 || frame.Width <= 0 || frame.Height <= 0 ||
      frame.Left + frame.Width > gif->SWidth || frame.Top + frame.Height > gif->SHeight) {
    fail("its first frame lies outside the picture");
  }
  const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap;
  if (colours == nullptr) fail("it has no palette");

  Image image{gif->SHeight, gif->SWidth, {}};
  image.rgb.resize(static_cast<std::size_t>(width * gif->SHeight) * 3);
  const auto put = [&](std::int64_t at, const GifColorType& colour) {
    std::uint8_t* pixel = image.rgb.data() + 3 * at;
    pixel[0] = colour.Red;
    pixel[1] = colour.Green;
    pixel[2] = colour.Blue;
  };
  if (gif->SColorMap != nullptr && gif->SBackGroundColor < gif->SColorMap->ColorCount) {
    for (std::int64_t at = 0; at < width * gif->SHeight; ++at)
      put(at, gif->SColorMap->Colors[gif->SBackGroundColor]);
  }
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  for (const int row : row_order(frame.Height, frame.Interlace)) {
    check(DGifGetLine(gif.get(), line.data(), frame.Width), gif.get());
    for (int x = 0; x < frame.Width; ++x) {
      const int index = line[static_cast<std::size_t>(x)];
      if (index >= colours->ColorCount) fail("a pixel lies outside the palette");
      put((frame.Top + row) * width + frame.Left + x, colours->Colors[index]);
    }
  }
  return image;
}

}  // namespace marquee::datasets
