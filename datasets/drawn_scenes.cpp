#include "datasets/drawn_scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "datasets/land_scenes.h"
#include "datasets/scene_parts.h"

namespace marquee::datasets {
namespace {

// ---- shapes that no task has -------------------------------------------------------------------

bool cross(double x, double y) {
  return (std::abs(x) <= 0.32 && std::abs(y) <= 1) || (std::abs(y) <= 0.32 && std::abs(x) <= 1);
}
bool star(double x, double y) {
  const double angle = std::atan2(x, -y), radius = std::hypot(x, y);
  const double sector = std::abs(std::remainder(angle, kTurn / 5));
  return radius <= 0.42 / std::max(0.05, std::cos(kTurn / 10 - sector)) * 0.75 +
                       0.55 * std::max(0.0, 1 - sector / (kTurn / 10));
}
bool crescent(double x, double y) {
  return x * x + y * y <= 1 && (x - 0.45) * (x - 0.45) + y * y > 0.7;
}
bool hexagon(double x, double y) {
  const double ax = std::abs(x), ay = std::abs(y);
  return ay <= 0.8 && 0.866 * ax + 0.5 * ay <= 0.8;
}
bool chevron(double x, double y) {
  const double along = y - 0.8 * std::abs(x);
  return std::abs(x) <= 0.95 && along >= -0.75 && along <= -0.1;
}
bool angle_piece(double x, double y) {
  return (std::abs(x + 0.55) <= 0.3 && std::abs(y) <= 0.9) ||
         (std::abs(y - 0.6) <= 0.3 && x >= -0.85 && x <= 0.9);
}
constexpr std::array<Shape, 6> kShapes{cross, star, crescent, hexagon, chevron, angle_piece};

// ---- kinds of scenes ----------------------------------------------------------------------------

// Fields, roofs, lakes from above: cells around scattered points, each of one colour with its own
// grain, sometimes with lines through them.
Image patchwork(PhiloxStream& stream) {
  struct Cell {
    double x, y;
    Colour colour;
    double roughness;
  };
  const Palette palette(stream);
  std::vector<Cell> cells;
  const auto count = 3 + stream.below(40);
  const double stretch = between(stream, 0.4, 1), turn = between(stream, 0, kTurn);
  for (std::uint64_t i = 0; i < count; ++i)
    cells.push_back({between(stream, -20, kSize + 20), between(stream, -20, kSize + 20),
                     palette.next(stream), between(stream, 0, 18)});
  const Noise bend(stream, 4, 2), grain(stream, 24, 2);
  const double bent = between(stream, 0, 8);
  const double cosine = std::cos(turn), sine = std::sin(turn);
  Image image = painted([&](double x, double y) {
    const double shift = bent * bend.at(x, y);
    const Cell* nearest = &cells.front();
    double best = 1e9;
    for (const Cell& cell : cells) {
      const double dx = x + shift - cell.x, dy = y - shift - cell.y;
      const double distance =
          std::hypot(dx * cosine + dy * sine, (dy * cosine - dx * sine) * stretch);
      if (distance < best) {
        best = distance;
        nearest = &cell;
      }
    }
    Colour colour = nearest->colour;
    for (double& level : colour) level += nearest->roughness * grain.at(x, y);
    return colour;
  });
  for (auto lines = stream.below(4); lines > 0; --lines) {
    std::vector<Point> points{{between(stream, -10, kSize + 10), -10}};
    while (points.back().y < kSize + 10)
      points.push_back(
          {points.back().x + between(stream, -25, 25), points.back().y + between(stream, 10, 50)});
    if (stream.below(2) == 1)
      for (Point& point : points) std::swap(point.x, point.y);
    const Colour colour = palette.next(stream);
    draw_stroke(image, points, between(stream, 0.8, 4), colour);
  }
  return image;
}

// Clouds of two or three colours.
Image clouds(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour first = palette.next(stream), second = palette.next(stream),
               third = palette.next(stream);
  const auto cells = static_cast<int>(2 + stream.below(8));
  const Noise one(stream, cells, 4), two(stream, cells, 3);
  const double contrast = between(stream, 0.4, 2.5), sharpness = between(stream, 0.5, 3);
  return painted([&](double x, double y) {
    const double a = std::clamp(0.5 + contrast * 0.5 * one.at(x, y), 0.0, 1.0);
    const double b = std::clamp(0.5 + sharpness * two.at(x, y), 0.0, 1.0);
    return mixed(mixed(first, second, a), third, 0.5 * b);
  });
}

// Rows: waves of one direction, soft or hard, bent a little.
Image stripes(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour first = palette.next(stream), second = palette.next(stream);
  const double angle = between(stream, 0, kTurn), length = between(stream, 3, 40),
               hardness = between(stream, 0.5, 6), bent = between(stream, 0, 10);
  const Noise bend(stream, 3, 2), shade(stream, 3, 3);
  return painted([&](double x, double y) {
    const double along = x * std::cos(angle) + y * std::sin(angle) + bent * bend.at(x, y);
    const double wave =
        std::clamp(0.5 + hardness * 0.5 * std::sin(kTurn * along / length), 0.0, 1.0);
    Colour colour = mixed(first, second, wave);
    for (double& level : colour) level += 15 * shade.at(x, y);
    return colour;
  });
}

// Curved lines of many widths.
Image strokes(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour bottom = palette.next(stream);
  Image image = gradient_image(kSceneSize, palette.next(stream), bottom);
  for (auto left = 2 + stream.below(12); left > 0; --left) {
    std::vector<Point> points;
    Point at{between(stream, 0, kSize), between(stream, 0, kSize)};
    double angle = between(stream, 0, kTurn);
    const double turn = between(stream, -0.5, 0.5);
    for (auto pieces = 2 + stream.below(20); pieces > 0; --pieces) {
      points.push_back(at);
      at.x += 6 * std::cos(angle);
      at.y += 6 * std::sin(angle);
      angle += turn + between(stream, -0.3, 0.3);
    }
    const Colour colour = stream.below(4) == 0 ? any_colour(stream) : palette.next(stream);
    draw_stroke(image, points, between(stream, 0.8, 9), colour);
  }
  return image;
}

// Shaded figures on a ground.
Image figures(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour top = palette.next(stream);
  Image image = gradient_image(kSceneSize, top, stream.below(2) == 0 ? top : palette.next(stream));
  for (auto left = 1 + stream.below(10); left > 0; --left) {
    const double radius = between(stream, 4, 26);
    draw(image, {kShapes[stream.below(kShapes.size())], between(stream, 0, kSize),
                 between(stream, 0, kSize), radius, between(stream, 0, kTurn), any_colour(stream),
                 stream.below(3) > 0});
  }
  return image;
}

// One or a few light figures on black.
Image silhouettes(PhiloxStream& stream) {
  const double ground = stream.below(3) == 0 ? between(stream, 0, 40) : 0;
  Image image = plain_image(kSceneSize, {ground, ground, ground});
  for (auto left = 1 + stream.below(3); left > 0; --left) {
    const double level = stream.below(3) == 0 ? between(stream, 120, 255) : 255;
    draw(image, {kShapes[stream.below(kShapes.size())],
                 between(stream, 10, kSize - 10),
                 between(stream, 10, kSize - 10),
                 between(stream, 6, 24),
                 between(stream, 0, kTurn),
                 {level, level, level},
                 false});
  }
  return image;
}

// Light and shadow without things: a bright place, darker towards the edges, or a horizon.
Image lights(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour first = palette.next(stream), second = palette.next(stream),
               ground = palette.next(stream);
  const Point bright{between(stream, 0, kSize), between(stream, 0, kSize)};
  const double width = between(stream, 20, 120);
  const double horizon = stream.below(2) == 0 ? between(stream, 20, kSize - 10) : 2 * kSize;
  const Noise rough(stream, 12, 3);
  const double roughness = between(stream, 0, 20);
  return painted([&](double x, double y) {
    const double near = std::exp(
        -((x - bright.x) * (x - bright.x) + (y - bright.y) * (y - bright.y)) / (width * width));
    const double below = std::clamp(y - horizon + 0.5, 0.0, 1.0);
    Colour colour{};
    for (std::size_t c = 0; c < 3; ++c) {
      const double sky = first[c] * near + second[c] * (1 - near);
      colour[c] =
          sky * (1 - below) + below * (ground[c] * (0.6 + 0.4 * near) + roughness * rough.at(x, y));
    }
    return colour;
  });
}

// Figures of one colour in a row, as on a plate; the middle one whole, those beside it cut by the
// frame.
Image signs(PhiloxStream& stream) {
  const Palette palette(stream);
  const Colour bottom = palette.next(stream);
  Image image = gradient_image(kSceneSize, palette.next(stream), bottom);
  const Colour ink = any_colour(stream);
  const double radius = between(stream, 18, 40), height = kSize / 2 + between(stream, -8, 8);
  const double centre = kSize / 2 + between(stream, -8, 8), pace = radius * between(stream, 1.3, 2);
  const double slant = between(stream, -0.3, 0.3);
  for (const int place : {-2, -1, 0, 1, 2}) {
    draw(image, {kShapes[stream.below(kShapes.size())], centre + place * pace,
                 height + place * pace * slant, radius * between(stream, 0.8, 1),
                 between(stream, -0.3, 0.3), ink, stream.below(4) == 0});
  }
  return image;
}

}  // namespace

namespace {

struct Kind {
  Image (*draw)(PhiloxStream&);
  int number;
};
// Land comes twice as often as the others.
constexpr std::array<Kind, 16> kCycle{{{patchwork, 0},
                                       {fields, 8},
                                       {clouds, 1},
                                       {wild_land, 9},
                                       {stripes, 2},
                                       {built_land, 10},
                                       {strokes, 3},
                                       {waters, 11},
                                       {figures, 4},
                                       {fields, 8},
                                       {silhouettes, 5},
                                       {wild_land, 9},
                                       {lights, 6},
                                       {built_land, 10},
                                       {signs, 7},
                                       {waters, 11}}};

const Kind& kind_of(std::uint64_t number) {
  return kCycle[number % kCycle.size()];
}

}  // namespace

int scene_kind(std::uint64_t number) {
  return kind_of(number).number;
}

Image drawn_scene(std::uint64_t number) {
  PhiloxStream stream(static_cast<std::uint64_t>(kScenesVersion), cluster::Purpose::drawn_scenes, 0,
                      number);
  const Kind& kind = kind_of(number);
  Image image = kind.draw(stream);
  // Pictures of sensors are never quite clean; drawings on black are.
  if (kind.draw != silhouettes && stream.below(3) > 0)
    add_grain(image, stream, between(stream, 2, 16));
  return image;
}

}  // namespace marquee::datasets
