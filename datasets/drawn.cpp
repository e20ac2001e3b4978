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

Image dsprites_image(PhiloxStream& stream, int label) {
  Image image{kDrawnSize, kDrawnSize, std::vector<std::uint8_t>(kDrawnSize * kDrawnSize * 3, 0)};
  constexpr std::array<Shape, 3> kShapes{square, ellipse, heart};
  PlacedShape shape{kShapes[stream.below(3)], 0, 0, 0, 0, {255, 255, 255}, false};
  shape.radius = 5.0 + 5.0 * stream.uniform_double();
  shape.angle = 2 * std::numbers::pi * stream.uniform_double();
  // 16 columns between the margins; a label is a column, the place within it is free.
  constexpr double kMargin = 12.0;
  shape.x = kMargin + (label + stream.uniform_double()) * (kDrawnSize - 2 * kMargin) / 16;
  shape.y = kMargin + stream.uniform_double() * (kDrawnSize - 2 * kMargin);
  draw(image, shape);
  return image;
}

Image shapes_image(PhiloxStream& stream, int label) {
  const double background = 90 + 80 * stream.uniform_double();
  Image image{kDrawnSize, kDrawnSize, std::vector<std::uint8_t>(kDrawnSize * kDrawnSize * 3)};
  for (int y = 0; y < kDrawnSize; ++y) {
    const auto level = static_cast<std::uint8_t>(std::lround(background + 40.0 * y / kDrawnSize));
    std::fill_n(image.rgb.begin() + static_cast<std::ptrdiff_t>(y) * kDrawnSize * 3, kDrawnSize * 3,
                level);
  }
  constexpr std::array<Shape, 3> kShapes{disc, square, triangle};
  constexpr std::array<Colour, 8> kColours{
      Colour{173, 35, 35},  Colour{42, 75, 215},  Colour{29, 105, 20},  Colour{129, 74, 25},
      Colour{129, 38, 192}, Colour{41, 208, 208}, Colour{255, 238, 51}, Colour{87, 87, 87}};
  std::vector<PlacedShape> placed;
  const std::size_t count = static_cast<std::size_t>(label) + 3;
  double radius = 8.5;
  int tries = 0;
  while (placed.size() < count) {
    PlacedShape shape{kShapes[stream.below(3)],
                      0,
                      0,
                      radius * (0.7 + 0.3 * stream.uniform_double()),
                      2 * std::numbers::pi * stream.uniform_double(),
                      kColours[stream.below(8)],
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

// Rows [first, first + size) of a task's one row of examples.
struct Range {
  std::size_t first, size;
};

class DrawnDataset : public Dataset {
 public:
  using Draw = Image (*)(PhiloxStream&, int);
  DrawnDataset(const TaskInfo& task, std::uint64_t split, std::vector<Range> ranges,
               Draw draw_image)
      : classes_(task.num_classes), split_(split), ranges_(std::move(ranges)), draw_(draw_image) {}

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

 private:
  std::size_t row_of(std::size_t index) const {
    for (const Range& range : ranges_) {
      if (index < range.size) return range.first + index;
      index -= range.size;
    }
    cluster::throw_defect("example outside the split");
  }
  PhiloxStream stream_of(std::size_t index) const {
    return {static_cast<std::uint64_t>(kDrawnVersion), cluster::Purpose::drawn, split_,
            row_of(index)};
  }
  int draw_label(PhiloxStream& stream) const {
    return static_cast<int>(stream.below(static_cast<std::uint64_t>(classes_)));
  }

  int classes_;
  std::uint64_t split_;
  std::vector<Range> ranges_;
  Draw draw_;
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
  const bool sprites = task.name == "drawn/dsprites_location";
  MARQUEE_CHECK(sprites || task.name == "drawn/shapes_count", "no drawing for task " + task.name);
  return std::make_unique<DrawnDataset>(task, sprites ? 0 : 1, ranges->second,
                                        sprites ? dsprites_image : shapes_image);
}

}  // namespace marquee::datasets
