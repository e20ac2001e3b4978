#include "datasets/drawn.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "cluster/philox.h"
#include "datasets/drawing.h"
#include "datasets/encode_png.h"

namespace marquee::datasets {
namespace {

using cluster::PhiloxStream;

constexpr std::size_t kTrain = 4000, kVal = 500, kTest = 1000;

bool square(double x, double y) {
  return std::abs(x) <= 0.85 && std::abs(y) <= 0.85;
}
bool ellipse(double x, double y) {
  return x * x + y * y * 2.25 <= 1.0;
}
bool disc(double x, double y) {
  return x * x + y * y <= 1.0;
}
bool triangle(double x, double y) {
  return y <= 0.8 && y >= 2 * std::abs(x) - 0.95;
}
bool heart(double x, double y) {
  const double px = 1.2 * x, py = -1.2 * y + 0.1;
  const double body = px * px + py * py - 0.9;
  return body * body * body - px * px * py * py * py <= 0;
}

double between(PhiloxStream& stream, double low, double high) {
  return low + (high - low) * stream.uniform_double();
}

// One white shape on black; the order of the draws is frozen.
PlacedShape sprite(PhiloxStream& stream) {
  constexpr std::array<Shape, 3> kShapes{square, ellipse, heart};
  PlacedShape shape{kShapes[stream.below(3)], 0, 0, 0, 0, {255, 255, 255}, false};
  shape.radius = 5.0 + 5.0 * stream.uniform_double();
  shape.angle = 2 * std::numbers::pi * stream.uniform_double();
  return shape;
}
constexpr double kSpriteMargin = 12.0;

Image location_image(PhiloxStream& stream, int label) {
  Image image = plain_image(kDrawnSize, {0, 0, 0});
  PlacedShape shape = sprite(stream);
  // 16 columns between the margins; a label is a column, the place within it is free.
  shape.x =
      kSpriteMargin + (label + stream.uniform_double()) * (kDrawnSize - 2 * kSpriteMargin) / 16;
  shape.y = kSpriteMargin + stream.uniform_double() * (kDrawnSize - 2 * kSpriteMargin);
  draw(image, shape);
  return image;
}

Image orientation_image(PhiloxStream& stream, int label) {
  Image image = plain_image(kDrawnSize, {0, 0, 0});
  PlacedShape shape = sprite(stream);
  shape.angle = 2 * std::numbers::pi * (label + stream.uniform_double()) / 16;
  shape.x = between(stream, kSpriteMargin, kDrawnSize - kSpriteMargin);
  shape.y = between(stream, kSpriteMargin, kDrawnSize - kSpriteMargin);
  draw(image, shape);
  return image;
}

constexpr std::array<Colour, 8> kSolidColours{
    Colour{173, 35, 35},  Colour{42, 75, 215},  Colour{29, 105, 20},  Colour{129, 74, 25},
    Colour{129, 38, 192}, Colour{41, 208, 208}, Colour{255, 238, 51}, Colour{87, 87, 87}};
constexpr std::array<Shape, 3> kSolids{disc, square, triangle};

Image count_image(PhiloxStream& stream, int label) {
  const double background = 90 + 80 * stream.uniform_double();
  const double below = background + 40.0;
  Image image =
      gradient_image(kDrawnSize, {background, background, background}, {below, below, below});
  std::vector<PlacedShape> placed;
  const std::size_t count = static_cast<std::size_t>(label) + 3;
  double radius = 8.5;
  int tries = 0;
  while (placed.size() < count) {
    PlacedShape shape{kSolids[stream.below(3)],
                      0,
                      0,
                      radius * (0.7 + 0.3 * stream.uniform_double()),
                      2 * std::numbers::pi * stream.uniform_double(),
                      kSolidColours[stream.below(8)],
                      true};
    shape.x = shape.radius + stream.uniform_double() * (kDrawnSize - 2 * shape.radius);
    shape.y = shape.radius + stream.uniform_double() * (kDrawnSize - 2 * shape.radius);
    const bool free = std::none_of(placed.begin(), placed.end(), [&](const PlacedShape& other) {
      return std::hypot(shape.x - other.x, shape.y - other.y) <
             1.05 * (shape.radius + other.radius);
    });
    if (free) placed.push_back(shape);
    // A crowded picture gets smaller shapes rather than an endless search.
    if (++tries % 50 == 0) radius *= 0.9;
  }
  std::sort(placed.begin(), placed.end(),
            [](const PlacedShape& a, const PlacedShape& b) { return a.y < b.y; });
  for (const PlacedShape& shape : placed) draw(image, shape);
  return image;
}

// Solids on a plane that runs to a horizon: the further, the smaller and the higher in the picture.
// The label is the distance of the nearest, in the bins that CLEVR's distances have in VTAB.
Image distance_image(PhiloxStream& stream, int label) {
  constexpr std::array<double, 7> kBins{7.0, 8.0, 8.5, 9.0, 9.5, 10.0, 11.0};
  constexpr double kFurthest = 15.0, kHorizon = 14.0, kDrop = 330.0, kScale = 64.0;
  const double background = between(stream, 90, 170);
  Image image = gradient_image(kDrawnSize, {background, background, background},
                               {background + 40, background + 40, background + 40});
  const auto bin = static_cast<std::size_t>(label);
  const std::uint64_t count = 3 + stream.below(6);
  const double nearest = between(stream, kBins[bin], kBins[bin + 1]);
  std::vector<PlacedShape> placed;
  for (std::uint64_t i = 0; i < count; ++i) {
    constexpr int kTries = 20;
    for (int tries = 0; tries < kTries; ++tries) {
      const double distance = i == 0 ? nearest : between(stream, nearest, kFurthest);
      PlacedShape shape{
          kSolids[stream.below(3)],       0,   0, kScale / distance, between(stream, -0.4, 0.4),
          kSolidColours[stream.below(8)], true};
      shape.x = between(stream, shape.radius, kDrawnSize - shape.radius);
      shape.y = kHorizon + kDrop / distance - shape.radius;
      // What stands in front hides nobody's centre.
      const bool free = std::none_of(placed.begin(), placed.end(), [&](const PlacedShape& other) {
        return std::hypot(shape.x - other.x, shape.y - other.y) <
               std::max(shape.radius, other.radius);
      });
      if (!free) continue;
      placed.push_back(shape);
      break;
    }
  }
  std::sort(placed.begin(), placed.end(), [](const PlacedShape& a, const PlacedShape& b) {
    return a.radius < b.radius;  // the nearest last
  });
  for (const PlacedShape& shape : placed) draw(image, shape);
  return image;
}

// Strokes of the ten digits in a box of width and height one, y downwards.
const std::vector<std::vector<Point>>& strokes_of_digit(std::size_t digit) {
  static const std::array<std::vector<std::vector<Point>>, 10> kDigits = [] {
    const auto arc = [](double x, double y, double rx, double ry, double from, double to) {
      std::vector<Point> points;
      constexpr int kPieces = 16;
      for (int i = 0; i <= kPieces; ++i) {
        const double angle = std::numbers::pi / 180 * (from + (to - from) * i / kPieces);
        points.push_back({x + rx * std::cos(angle), y + ry * std::sin(angle)});
      }
      return points;
    };
    const auto then = [](std::vector<Point> first, const std::vector<Point>& second) {
      first.insert(first.end(), second.begin(), second.end());
      return first;
    };
    return std::array<std::vector<std::vector<Point>>, 10>{{
        {arc(0.5, 0.5, 0.45, 0.5, 0, 360)},
        {{{0.25, 0.2}, {0.55, 0}, {0.55, 1}}},
        {then(arc(0.5, 0.28, 0.42, 0.28, -170, 40), {{0.05, 1}, {0.95, 1}})},
        {arc(0.45, 0.26, 0.42, 0.26, -160, 90), arc(0.45, 0.74, 0.45, 0.26, -90, 160)},
        {{{0.7, 1}, {0.7, 0}, {0.02, 0.68}, {0.98, 0.68}}},
        {then({{0.88, 0}, {0.18, 0}, {0.12, 0.45}}, arc(0.46, 0.69, 0.44, 0.31, -125, 150))},
        {arc(0.5, 0.7, 0.42, 0.3, 0, 360), {{0.75, 0}, {0.3, 0.35}, {0.09, 0.68}}},
        {{{0.05, 0}, {0.95, 0}, {0.35, 1}}},
        {arc(0.5, 0.25, 0.36, 0.25, 0, 360), arc(0.5, 0.75, 0.44, 0.25, 0, 360)},
        {arc(0.5, 0.3, 0.42, 0.3, 0, 360), {{0.91, 0.32}, {0.7, 0.65}, {0.25, 1}}},
    }};
  }();
  return kDigits[digit];
}

// A number on a wall, as in SVHN: the middle digit is the label, parts of its neighbours beside it.
Image digit_image(PhiloxStream& stream, int label) {
  // Paint and stone: most colours are nearly grey.
  const auto any = [&] {
    Colour colour{between(stream, 0, 255), between(stream, 0, 255), between(stream, 0, 255)};
    const double grey = between(stream, 0.3, 1);
    const double mean = (colour[0] + colour[1] + colour[2]) / 3;
    for (double& level : colour) level = level * (1 - grey) + mean * grey;
    return colour;
  };
  const Colour wall = any();
  Colour ink = any();
  const auto luminance = [](const Colour& colour) {
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
  };
  constexpr double kLeastContrast = 60.0;
  if (std::abs(luminance(ink) - luminance(wall)) < kLeastContrast) {
    const double shift = luminance(wall) > 127 ? -100 : 100;
    for (double& level : ink) level = std::clamp(level + shift, 0.0, 255.0);
  }
  Colour lower = wall;
  for (double& level : lower) level = std::clamp(level + between(stream, -40, 40), 0.0, 255.0);
  Image image = gradient_image(kDrawnSize, wall, lower);
  const double height = between(stream, 34, 52), width = height * between(stream, 0.45, 0.65);
  const double thick = height * between(stream, 0.09, 0.2), slant = between(stream, -0.25, 0.25);
  const Point middle{kDrawnSize / 2 + between(stream, -4, 4),
                     kDrawnSize / 2 + between(stream, -4, 4)};
  const double pace = width + thick + between(stream, 2, 10);
  for (const int place : {-1, 1, 0}) {
    const bool there = place == 0 || stream.below(3) > 0;
    const auto digit = place == 0 ? static_cast<std::size_t>(label) : stream.below(10);
    if (!there) continue;
    for (std::vector<Point> points : strokes_of_digit(digit)) {
      for (Point& point : points) {
        const double down = point.y - 0.5;
        point = {middle.x + place * pace + (point.x - 0.5) * width - slant * down * height,
                 middle.y + down * height};
      }
      draw_stroke(image, points, thick, ink);
    }
  }
  return image;
}

// A drawn task; its place in this list is part of the name of every picture's stream.
using DrawTask = Image (*)(PhiloxStream&, int);
struct DrawnTask {
  std::string_view name;
  DrawTask draw;
};
constexpr std::array<DrawnTask, 5> kTasks{{{"drawn/dsprites_location", location_image},
                                           {"drawn/shapes_count", count_image},
                                           {"drawn/dsprites_orientation", orientation_image},
                                           {"drawn/shapes_distance", distance_image},
                                           {"drawn/digits", digit_image}}};

// Rows [first, first + size) of a task's one row of examples.
struct Range {
  std::size_t first, size;
};

class DrawnDataset : public Dataset {
 public:
  DrawnDataset(const TaskInfo& task, std::uint64_t number, DrawTask draw_image,
               std::vector<Range> ranges)
      : classes_(task.num_classes),
        number_(number),
        ranges_(std::move(ranges)),
        draw_(draw_image) {}

  std::size_t size() const override {
    std::size_t total = 0;
    for (const Range& range : ranges_) total += range.size;
    return total;
  }
  int num_classes() const override { return classes_; }
  int label(std::size_t index) const override {
    PhiloxStream stream = stream_of(index);
    return draw_label(stream);
  }
  std::string id(std::size_t index) const override { return std::to_string(row_of(index)); }
  Image image(std::size_t index) const override {
    PhiloxStream stream = stream_of(index);
    const int label = draw_label(stream);
    return draw_(stream, label);
  }
  std::string image_bytes(std::size_t index) const override {
    const std::vector<std::byte> png = encode_png(image(index));
    return {reinterpret_cast<const char*>(png.data()), png.size()};
  }
  std::uint64_t stored_bytes(std::size_t) const override { return 0; }

 private:
  std::size_t row_of(std::size_t index) const {
    for (const Range& range : ranges_) {
      if (index < range.size) return range.first + index;
      index -= range.size;
    }
    cluster::throw_defect("example outside the split");
  }
  PhiloxStream stream_of(std::size_t index) const {
    return {static_cast<std::uint64_t>(kDrawnVersion), cluster::Purpose::drawn, number_,
            row_of(index)};
  }
  int draw_label(PhiloxStream& stream) const {
    return static_cast<int>(stream.below(static_cast<std::uint64_t>(classes_)));
  }

  int classes_;
  std::uint64_t number_;  // of the task
  std::vector<Range> ranges_;
  DrawTask draw_;
};

}  // namespace

std::unique_ptr<Dataset> open_drawn(const TaskInfo& task, std::string_view split) {
  // One row of examples: train, then val, then test.
  static const std::map<std::string_view, std::vector<Range>> kSplits{
      {"train", {{0, kTrain}}},
      {"val", {{kTrain, kVal}}},
      {"trainval", {{0, kTrain + kVal}}},
      {"test", {{kTrain + kVal, kTest}}},
      {"train800", {{0, 800}}},
      {"val200", {{kTrain, 200}}},
      {"train800val200", {{0, 800}, {kTrain, 200}}}};
  const auto ranges = kSplits.find(split);
  if (ranges == kSplits.end())
    cluster::throw_usage("task '" + task.name + "' has no split '" + std::string(split) + "'");
  const auto found = std::find_if(kTasks.begin(), kTasks.end(),
                                  [&](const DrawnTask& drawn) { return drawn.name == task.name; });
  MARQUEE_CHECK(found != kTasks.end(), "no drawing for task " + task.name);
  return std::make_unique<DrawnDataset>(task, static_cast<std::uint64_t>(found - kTasks.begin()),
                                        found->draw, ranges->second);
}

}  // namespace marquee::datasets
