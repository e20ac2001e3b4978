#include "datasets/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cluster/error.h"
#include "datasets/resample.h"

namespace marquee::datasets {
namespace {

// Weights of the triangle filter for output cells [from, from + count) of `output`.
Taps<float> triangle_taps(int input, int output, int from, int count) {
  const double scale = static_cast<double>(input) / output;
  const double support = std::max(1.0, scale);  // half width of the triangle in source cells
  Taps<float> taps;
  std::vector<double> weights;
  std::vector<float> normalised;
  for (int i = from; i < from + count; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(center - support)));
    const int last = std::min(input - 1, static_cast<int>(std::ceil(center + support)));
    weights.clear();
    double sum = 0;
    for (int cell = first; cell <= last; ++cell) {
      weights.push_back(std::max(0.0, 1.0 - std::abs(cell + 0.5 - center) / support));
      sum += weights.back();
    }
    normalised.clear();
    for (const double weight : weights) normalised.push_back(static_cast<float>(weight / sum));
    taps.add(static_cast<std::size_t>(first), normalised);
  }
  return taps;
}

// As std::lround, which compilers do not vectorise: the fraction of a number this small is exact.
std::uint8_t nearest_level(float value) {
  const int whole = static_cast<int>(value);
  const int rounded = whole + (value - static_cast<float>(whole) >= 0.5f ? 1 : 0);
  return static_cast<std::uint8_t>(std::min(rounded, 255));
}

// The part [top, top + part.height) x [left, left + part.width) of the image resized to `full`.
template <class Out, class Finish>
std::vector<Out> resize_part(const Image& image, Extent full, int top, int left, Extent part,
                             Finish finish) {
  MARQUEE_CHECK(full.height > 0 && full.width > 0 && image.height > 0 && image.width > 0,
                "resize: empty image");
  const auto columns = triangle_taps(image.width, full.width, left, part.width);
  const auto rows = triangle_taps(image.height, full.height, top, part.height);
  const auto keep = [](float value) { return value; };
  const std::vector<float> wide =
      resample_rows<float>(image.rgb.data(), static_cast<std::size_t>(image.height),
                           static_cast<std::size_t>(image.width), columns, keep);
  return resample_columns<Out>(wide.data(), static_cast<std::size_t>(part.width), rows, finish);
}

}  // namespace

Image resize(const Image& image, int height, int width) {
  if (image.height == height && image.width == width) return image;
  return {height, width,
          resize_part<std::uint8_t>(image, {height, width}, 0, 0, {height, width}, nearest_level)};
}

FloatImage resize_to_float(const Image& image, int height, int width) {
  if (image.height == height && image.width == width)
    return {height, width, {image.rgb.begin(), image.rgb.end()}};
  return {height, width,
          resize_part<float>(image, {height, width}, 0, 0, {height, width},
                             [](float value) { return value; })};
}

Extent covering_extent(Extent extent, int size) {
  MARQUEE_CHECK(extent.height > 0 && extent.width > 0 && size > 0, "resize: empty image");
  const double scale =
      std::max(static_cast<double>(size) / extent.height, static_cast<double>(size) / extent.width);
  return {static_cast<int>(std::nearbyint(extent.height * scale)),
          static_cast<int>(std::nearbyint(extent.width * scale))};
}

FloatImage scale_then_crop(const Image& image, int size, int top, int left) {
  const Extent full = covering_extent({image.height, image.width}, size);
  MARQUEE_CHECK(top >= 0 && left >= 0 && top <= full.height - size && left <= full.width - size,
                "crop lies outside the image");
  return {size, size, resize_part<float>(image, full, top, left, {size, size}, [](float value) {
            return value;
          })};
}

Image crop(const Image& image, int top, int left, int height, int width) {
  MARQUEE_CHECK(top >= 0 && left >= 0 && height > 0 && width > 0 && top + height <= image.height &&
                    left + width <= image.width,
                "crop lies outside the image");
  Image part{height, width, {}};
  part.rgb.reserve(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3);
  for (int y = top; y < top + height; ++y) {
    const auto row = image.rgb.begin() + (static_cast<std::ptrdiff_t>(y) * image.width + left) * 3;
    part.rgb.insert(part.rgb.end(), row, row + static_cast<std::ptrdiff_t>(width) * 3);
  }
  return part;
}

Image center_crop(const Image& image) {
  const int side = std::min(image.height, image.width);
  return crop(image, (image.height - side) / 2, (image.width - side) / 2, side, side);
}

Image center_crop_resize(const Image& image, int size) {
  return resize(center_crop(image), size, size);
}

Image flip_horizontal(const Image& image) {
  Image flipped = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width / 2; ++x) {
      const std::size_t row = static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width);
      const std::size_t left = (row + static_cast<std::size_t>(x)) * 3;
      const std::size_t right = (row + static_cast<std::size_t>(image.width - 1 - x)) * 3;
      for (std::size_t c = 0; c < 3; ++c) std::swap(flipped.rgb[left + c], flipped.rgb[right + c]);
    }
  }
  return flipped;
}

}  // namespace marquee::datasets
