#include "datasets/land_scenes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "datasets/scene_parts.h"

namespace marquee::datasets {
namespace {

// The tones of one picture: brightness runs along one line of colours from dark and bluish to
// bright and reddish; what grows, is wet or is painted differs from it a little.
class LandTones {
 public:
  explicit LandTones(PhiloxStream& stream) {
    haze_ = between(stream, -14, 14);
    green_ = between(stream, -10, 14);
  }
  // `light` 0: deep water, dense wood; 1: dry soil, concrete. `odd`: how far from the line, levels.
  Colour at(PhiloxStream& stream, double light, double odd) const {
    const double warm = between(stream, -odd, odd), fresh = 0.4 * between(stream, -odd, odd);
    return {28 + 155 * light + 0.7 * warm, 50 + 103 * light + 0.3 * green_ - 0.3 * warm + fresh,
            66 + 82 * light + haze_ - warm};
  }

 private:
  double haze_, green_;
};

Colour brighter(Colour colour, double by) {
  // Light changes red most: the others are dimmed by haze.
  return {colour[0] + by, colour[1] + 0.72 * by, colour[2] + 0.6 * by};
}

// A track, road or river across the picture, bent at every piece.
std::vector<Point> way_across(PhiloxStream& stream, double bend) {
  std::vector<Point> points{{between(stream, -10, kSize + 10), -12}};
  double slope = between(stream, -1, 1);
  while (points.back().y < kSize + 12) {
    const double pace = between(stream, 6, 16);
    slope = std::clamp(slope + bend * between(stream, -1, 1), -1.6, 1.6);
    points.push_back({points.back().x + slope * pace, points.back().y + pace});
  }
  if (stream.below(2) == 1)
    for (Point& point : points) std::swap(point.x, point.y);
  return points;
}

void draw_ways(Image& image, PhiloxStream& stream, const LandTones& tones, std::uint64_t most) {
  for (auto left = stream.below(most + 1); left > 0; --left) {
    const Colour colour = tones.at(stream, between(stream, 0.1, 0.9), 8);
    const std::vector<Point> points = way_across(stream, between(stream, 0, 0.6));
    draw_stroke(image, points, between(stream, 0.8, 3), colour);
  }
}

}  // namespace

Image fields(PhiloxStream& stream) {
  struct Parcel {
    Colour colour;
    double rough, rows, pace, angle;  // levels, levels, pixels, radians
  };
  const LandTones tones(stream);
  // Parcels lie between two families of slanted lines; every strip is cut at places of its own.
  const double turn = between(stream, 0, kTurn), skew = between(stream, -0.4, 0.4);
  const double wide = between(stream, 12, 70), deep = between(stream, 14, 110);
  const double middle = between(stream, 0.1, 0.75), spread = between(stream, 0.05, 0.45);
  constexpr int kStrips = 16;
  std::vector<Parcel> parcels;
  std::vector<double> shifts;
  for (int strip = 0; strip < kStrips; ++strip) shifts.push_back(between(stream, 0, deep));
  for (int i = 0; i < kStrips * kStrips; ++i) {
    const double light = std::clamp(middle + between(stream, -spread, spread), 0.0, 1.0);
    Parcel parcel{tones.at(stream, light, 16), 0, 0, 0, 0};
    parcel.rough = between(stream, 0, 7);
    parcel.rows = stream.below(3) == 0 ? between(stream, 2, 14) : 0;
    parcel.pace = between(stream, 2.5, 8);
    parcel.angle = turn + (stream.below(2) == 0 ? 0 : kTurn / 4);
    parcels.push_back(parcel);
  }
  const Noise grain(stream, 30, 2), bend(stream, 3, 2), shade(stream, 2, 3);
  const double bent = between(stream, 0, 7), shaded = between(stream, 0, 8);
  const double cosine = std::cos(turn), sine = std::sin(turn);
  Image image = painted([&](double x, double y) {
    const double shift = bent * bend.at(x, y);
    const double u = (x - kSize / 2) * cosine + (y - kSize / 2) * sine + shift;
    const double v = (y - kSize / 2) * cosine - (x - kSize / 2) * sine + skew * u - shift;
    const auto strip = static_cast<int>(std::floor(u / wide + kStrips / 2.0)) & (kStrips - 1);
    const double along = v + shifts[static_cast<std::size_t>(strip)];
    const auto place = static_cast<int>(std::floor(along / deep + kStrips / 2.0)) & (kStrips - 1);
    const Parcel& parcel = parcels[static_cast<std::size_t>(strip * kStrips + place)];
    const double row =
        parcel.rows *
        std::sin(kTurn / parcel.pace * (x * std::cos(parcel.angle) + y * std::sin(parcel.angle)));
    return brighter(parcel.colour, parcel.rough * grain.at(x, y) + row + shaded * shade.at(x, y));
  });
  draw_ways(image, stream, tones, 4);
  return image;
}

Image wild_land(PhiloxStream& stream) {
  const LandTones tones(stream);
  const double light = between(stream, 0, 0.8);
  const Colour ground = tones.at(stream, light, 10);
  const Colour growth = tones.at(stream, std::max(0.0, light - between(stream, 0.05, 0.4)), 14);
  const auto cells = static_cast<int>(2 + stream.below(8));
  const Noise where(stream, cells, 4), height(stream, cells, 4), grain(stream, 28, 2);
  const double edge = between(stream, 0.5, 6), level = between(stream, -0.8, 0.8);
  const double relief = stream.below(2) == 0 ? between(stream, 0, 60) : 0;
  const double rough = between(stream, 0, 16);
  const double angle = between(stream, 0, kTurn);
  Image image = painted([&](double x, double y) {
    const double grown = std::clamp(0.5 + edge * (where.at(x, y) - level), 0.0, 1.0);
    // Slopes that face the sun are brighter.
    const double slope = height.at(x + std::cos(angle), y + std::sin(angle)) - height.at(x, y);
    return brighter(mixed(ground, growth, grown), relief * slope * 2 + rough * grain.at(x, y));
  });
  draw_ways(image, stream, tones, 2);
  return image;
}

Image built_land(PhiloxStream& stream) {
  const LandTones tones(stream);
  const Colour green = tones.at(stream, between(stream, 0, 0.3), 10);
  const Colour ground = tones.at(stream, between(stream, 0.1, 0.6), 8);
  const Noise where(stream, 4, 3), grain(stream, 40, 2);
  const double rough = between(stream, 3, 22), edge = between(stream, 1, 6);
  Image image = painted([&](double x, double y) {
    const double share = std::clamp(0.5 + edge * where.at(x, y), 0.0, 1.0);
    return brighter(mixed(ground, green, share), rough * grain.at(x, y));
  });
  // Roofs are short thick strokes, longer than wide, along the streets or across them.
  const double turn = between(stream, 0, kTurn), block = between(stream, 14, 60);
  const double width = between(stream, 1.6, 9), roofs = between(stream, 0.3, 0.95);
  const double dull = between(stream, 0.1, 0.6), bright = between(stream, 0.3, 1);
  const double red = between(stream, 0, 1), pace = width * between(stream, 1.3, 2.4);
  const double cosine = std::cos(turn), sine = std::sin(turn);
  const auto placed = [&](double u, double v) {
    return Point{kSize / 2 + u * cosine - v * sine, kSize / 2 + u * sine + v * cosine};
  };
  for (double v = -kSize; v < kSize; v += pace) {
    for (double u = -kSize; u < kSize;) {
      const double length = width * between(stream, 0.4, 2.4);
      const Point from = placed(u, v), to = placed(u + length, v + between(stream, -0.6, 0.6));
      u += length + width * between(stream, 1.1, 2.4);
      const bool roof = stream.uniform_double() < roofs;
      const double light = between(stream, dull, dull + (1 - dull) * bright);
      Colour colour = tones.at(stream, light, 12);
      if (stream.uniform_double() < 0.5 * red) {
        colour[0] += 25;
        colour[2] -= 20;
      } else if (stream.below(6) == 0) {
        colour = {225 + 30 * light, 225 + 30 * light, 225 + 30 * light};
      }
      const bool outside =
          std::max(std::abs(from.x - kSize / 2), std::abs(from.y - kSize / 2)) > kSize / 2 + 12;
      if (roof && !outside) draw_stroke(image, {from, to}, width, colour);
    }
  }
  const Colour street = tones.at(stream, between(stream, 0.2, 0.6), 5);
  const double street_width = between(stream, 1, 3.5);
  for (double at = -kSize + between(stream, 0, block); at < kSize; at += block) {
    draw_stroke(image, {placed(at, -kSize), placed(at, kSize)}, street_width, street);
    if (stream.below(2) == 0)
      draw_stroke(image, {placed(-kSize, at), placed(kSize, at)}, street_width, street);
  }
  draw_ways(image, stream, tones, 2);
  return image;
}

Image waters(PhiloxStream& stream) {
  const LandTones tones(stream);
  const Colour water = tones.at(stream, between(stream, -0.06, 0.3), 14);
  const auto form = stream.below(3);  // open water; a shore; a river through land
  const Noise ripple(stream, 20, 3), depth(stream, 2, 2), land(stream, 5, 4);
  const double rippled = between(stream, 0, 5), deep = between(stream, 0, 12);
  const Colour near = tones.at(stream, between(stream, 0.05, 0.7), 12);
  const Colour far = tones.at(stream, between(stream, 0.05, 0.5), 12);
  const double rough = between(stream, 2, 16), level = between(stream, -0.5, 0.7);
  Image image = painted([&](double x, double y) {
    const bool wet = form == 0 || (form == 1 && depth.at(x, y) + 0.15 * land.at(x, y) < level);
    if (wet) return brighter(water, 0.5 * (rippled * ripple.at(x, y) + deep * depth.at(x, y)));
    const double share = std::clamp(0.5 + 1.5 * land.at(x, y), 0.0, 1.0);
    return brighter(mixed(far, near, share), rough * ripple.at(x, y));
  });
  if (form == 2) {
    const std::vector<Point> course = way_across(stream, between(stream, 0.1, 0.8));
    const double width = between(stream, 3, 26);
    draw_stroke(image, course, width + between(stream, 0, 4), far);
    draw_stroke(image, course, width, water);
  }
  if (form != 0) draw_ways(image, stream, tones, 2);
  return image;
}

}  // namespace marquee::datasets
