#include "datasets/drawing.h"

#include <algorithm>
#include <cmath>

namespace marquee::datasets {
namespace {

constexpr int kSamplesPerSide = 3;  // anti-aliasing: 3 x 3 points a pixel

void blend(Image& image, int x, int y, const Colour& colour, double share, double light = 1.0) {
  const std::size_t first = (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
                             static_cast<std::size_t>(x)) *
                            3;
  for (std::size_t c = 0; c < 3; ++c) {
    std::uint8_t& level = image.rgb[first + c];
    const double value = std::clamp(colour[c] * light, 0.0, 255.0);
    level = static_cast<std::uint8_t>(std::lround(level * (1 - share) + value * share));
  }
}

// Distance of a point from the line between two others.
double distance_to(const Point& from, const Point& to, double x, double y) {
  const double dx = to.x - from.x, dy = to.y - from.y;
  const double length = dx * dx + dy * dy;
  const double along =
      length > 0 ? std::clamp(((x - from.x) * dx + (y - from.y) * dy) / length, 0.0, 1.0) : 0.0;
  return std::hypot(x - from.x - along * dx, y - from.y - along * dy);
}

}  // namespace

Image plain_image(int size, const Colour& colour) {
  return gradient_image(size, colour, colour);
}

Image gradient_image(int size, const Colour& top, const Colour& bottom) {
  const auto side = static_cast<std::size_t>(size);
  Image image{size, size, std::vector<std::uint8_t>(side * side * 3)};
  for (std::size_t y = 0; y < side; ++y) {
    const double share = static_cast<double>(y) / static_cast<double>(side);
    for (std::size_t i = 0; i < side * 3; ++i) {
      const double level = top[i % 3] * (1 - share) + bottom[i % 3] * share;
      image.rgb[y * side * 3 + i] =
          static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0, 255.0)));
    }
  }
  return image;
}

void draw(Image& image, const PlacedShape& shape) {
  const double cosine = std::cos(shape.angle), sine = std::sin(shape.angle);
  const double reach = shape.radius * 1.5;
  const int top = std::max(0, static_cast<int>(shape.y - reach)),
            left = std::max(0, static_cast<int>(shape.x - reach));
  const int bottom = std::min(image.height - 1, static_cast<int>(shape.y + reach) + 1);
  const int right = std::min(image.width - 1, static_cast<int>(shape.x + reach) + 1);
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) {
      int covered = 0;
      for (int sample = 0; sample < kSamplesPerSide * kSamplesPerSide; ++sample) {
        const double dx =
            (x + (sample % kSamplesPerSide + 0.5) / kSamplesPerSide - shape.x) / shape.radius;
        const double dy =
            (y + (sample / kSamplesPerSide + 0.5) / kSamplesPerSide - shape.y) / shape.radius;
        covered += shape.inside(dx * cosine + dy * sine, dy * cosine - dx * sine) ? 1 : 0;
      }
      if (covered == 0) continue;
      const double share = covered / static_cast<double>(kSamplesPerSide * kSamplesPerSide);
      const double dx = (x + 0.5 - shape.x) / shape.radius, dy = (y + 0.5 - shape.y) / shape.radius;
      // Light from the upper left.
      const double light =
          shape.shaded ? std::clamp(1.0 - 0.35 * (dx + dy + 0.6), 0.35, 1.25) : 1.0;
      blend(image, x, y, shape.colour, share, light);
    }
  }
}

void draw_stroke(Image& image, const std::vector<Point>& points, double width,
                 const Colour& colour) {
  if (points.empty()) return;
  double low_x = points[0].x, high_x = low_x, low_y = points[0].y, high_y = low_y;
  for (const Point& point : points) {
    low_x = std::min(low_x, point.x);
    high_x = std::max(high_x, point.x);
    low_y = std::min(low_y, point.y);
    high_y = std::max(high_y, point.y);
  }
  const double reach = width / 2 + 1;
  const int top = std::max(0, static_cast<int>(low_y - reach)),
            bottom = std::min(image.height - 1, static_cast<int>(high_y + reach) + 1);
  const int left = std::max(0, static_cast<int>(low_x - reach)),
            right = std::min(image.width - 1, static_cast<int>(high_x + reach) + 1);
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) {
      double nearest = std::hypot(x + 0.5 - points[0].x, y + 0.5 - points[0].y);
      for (std::size_t i = 1; i < points.size(); ++i)
        nearest = std::min(nearest, distance_to(points[i - 1], points[i], x + 0.5, y + 0.5));
      const double share = std::clamp(width / 2 - nearest + 0.5, 0.0, 1.0);
      if (share > 0) blend(image, x, y, colour, share);
    }
  }
}

}  // namespace marquee::datasets
