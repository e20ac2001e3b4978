#include "datasets/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cluster/error.h"

namespace marquee::datasets {
namespace {

// Source cells and weights of one output cell.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> taps_for(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double support = std::max(1.0, scale);  // half width of the triangle in source cells
  std::vector<Taps> all(static_cast<std::size_t>(output));
  for (int i = 0; i < output; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(center - support)));
    const int last = std::min(input - 1, static_cast<int>(std::ceil(center + support)));
    std::vector<double> weights;
    double sum = 0;
    for (int cell = first; cell <= last; ++cell) {
      weights.push_back(std::max(0.0, 1.0 - std::abs(cell + 0.5 - center) / support));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

}  // namespace

Image resize(const Image& image, int height, int width) {
  if (image.height == height && image.width == width) return image;
  MARQUEE_CHECK(height > 0 && width > 0 && image.height > 0 && image.width > 0,
                "resize: empty image");
  const std::vector<Taps> rows = taps_for(image.height, height),
                          columns = taps_for(image.width, width);
  const auto at = [](int y, int x, int w) {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(w) +
            static_cast<std::size_t>(x)) *
           3;
  };
  std::vector<float> wide(static_cast<std::size_t>(image.height) * static_cast<std::size_t>(width) *
                          3);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Taps& taps = columns[static_cast<std::size_t>(x)];
      float sum[3] = {0, 0, 0};
      for (std::size_t tap = 0; tap < taps.weights.size(); ++tap) {
        const std::uint8_t* pixel =
            &image.rgb[at(y, taps.first + static_cast<int>(tap), image.width)];
        for (int c = 0; c < 3; ++c) sum[c] += taps.weights[tap] * static_cast<float>(pixel[c]);
      }
      std::copy(sum, sum + 3, &wide[at(y, x, width)]);
    }
  }
  Image result{height, width,
               std::vector<std::uint8_t>(static_cast<std::size_t>(height) *
                                         static_cast<std::size_t>(width) * 3)};
  for (int y = 0; y < height; ++y) {
    const Taps& taps = rows[static_cast<std::size_t>(y)];
    for (int x = 0; x < width; ++x) {
      float sum[3] = {0, 0, 0};
      for (std::size_t tap = 0; tap < taps.weights.size(); ++tap) {
        const float* pixel = &wide[at(taps.first + static_cast<int>(tap), x, width)];
        for (int c = 0; c < 3; ++c) sum[c] += taps.weights[tap] * pixel[c];
      }
      for (int c = 0; c < 3; ++c) {
        result.rgb[at(y, x, width) + static_cast<std::size_t>(c)] =
            static_cast<std::uint8_t>(std::clamp(std::lround(sum[c]), 0L, 255L));
      }
    }
  }
  return result;
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

Image center_crop_resize(const Image& image, int size) {
  const int side = std::min(image.height, image.width);
  return resize(crop(image, (image.height - side) / 2, (image.width - side) / 2, side, side), size,
                size);
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
