#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "cluster/error.h"
#include "datasets/resample.h"
#include "datasets/resize.h"

namespace marquee::datasets {
namespace {

double box(double x) {
  return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0;
}

struct Kernel {
  double (*weight)(double);
  double support;  // half width in source cells
};

const Kernel& kernel_of(PillowFilter filter) {
  static constexpr Kernel kKernels[] = {{box, 0.5}, {triangle, 1}, {cubic, 2}, {lanczos, 3}};
  return kKernels[static_cast<std::size_t>(filter)];
}

constexpr int kPrecisionBits = 32 - 8 - 2;

double as_weight(double weight, double) {
  return weight;
}
// Fixed point; rounded away from zero at halves.
int as_weight(double weight, int) {
  return static_cast<int>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
}

template <class Weight>
Taps<Weight> pillow_taps(int input, int output, const Kernel& kernel) {
  const double scale = static_cast<double>(input) / output;
  const double stretch = std::max(1.0, scale);
  const double support = kernel.support * stretch;
  Taps<Weight> taps;
  std::vector<double> weights;
  std::vector<Weight> normalised;
  for (int i = 0; i < output; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(input, static_cast<int>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int cell = first; cell < end; ++cell) {
      weights.push_back(kernel.weight((cell - center + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    normalised.clear();
    for (const double weight : weights)
      normalised.push_back(as_weight(sum != 0 ? weight / sum : weight, Weight{}));
    taps.add(static_cast<std::size_t>(first), normalised);
  }
  return taps;
}

// Along columns first where that leaves much less for the other pass: since Pillow 13; older ones
// always begin along rows, which gives other roundings between the passes.
bool begins_with_columns(const Image& image, int height, int width) {
  const std::int64_t lower = std::int64_t{image.height} - height;
  return lower > 0 && lower > 2 * (std::int64_t{image.width} - width);
}

// Both passes; one that keeps its size is left out, as Pillow does.
template <class Weight, class Level, class Finish>
std::vector<Level> pillow_passes(const Image& image, int height, int width, PillowFilter filter,
                                 Finish finish) {
  MARQUEE_CHECK(height > 0 && width > 0 && image.height > 0 && image.width > 0,
                "resize: empty image");
  const Kernel& kernel = kernel_of(filter);
  std::vector<Level> pixels(image.rgb.begin(), image.rgb.end());
  int rows = image.height;
  const auto along_columns = [&] {
    if (height == rows) return;
    pixels = resample_columns<Level>(pixels.data(),
                                     pixels.size() / (kChannels * static_cast<std::size_t>(rows)),
                                     pillow_taps<Weight>(rows, height, kernel), finish);
    rows = height;
  };
  if (begins_with_columns(image, height, width)) along_columns();
  if (width != image.width) {
    pixels = resample_rows<Level>(pixels.data(), static_cast<std::size_t>(rows),
                                  static_cast<std::size_t>(image.width),
                                  pillow_taps<Weight>(image.width, width, kernel), finish);
  }
  along_columns();
  return pixels;
}

}  // namespace

Image pillow_resize(const Image& image, int height, int width, PillowFilter filter) {
  const auto level = [](int sum) {
    const int rounded = (sum + (1 << (kPrecisionBits - 1))) >> kPrecisionBits;
    return static_cast<std::uint8_t>(std::clamp(rounded, 0, 255));
  };
  return {height, width, pillow_passes<int, std::uint8_t>(image, height, width, filter, level)};
}

FloatImage pillow_resize_to_float(const Image& image, int height, int width, PillowFilter filter) {
  const auto narrow = [](double sum) { return static_cast<float>(sum); };
  return {height, width, pillow_passes<double, float>(image, height, width, filter, narrow)};
}

FloatImage clean_fid_resize(const Image& image, int height, int width) {
  FloatImage resized = pillow_resize_to_float(image, height, width, PillowFilter::bicubic);
  for (float& value : resized.rgb) value = std::clamp(value, 0.0f, 255.0f);
  return resized;
}

}  // namespace marquee::datasets
