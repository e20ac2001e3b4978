// What scenes drawn by code share: a palette, smooth noise, painting by a function of the place,
// grain. Numbers are drawn from a stream in the order of the statements: never two in the arguments
// of one call.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "cluster/philox.h"
#include "datasets/drawing.h"
#include "datasets/drawn_scenes.h"

namespace marquee::datasets {

using cluster::PhiloxStream;

inline constexpr double kSize = kSceneSize;
inline constexpr double kTurn = 2 * std::numbers::pi;

inline double between(PhiloxStream& stream, double low, double high) {
  return low + (high - low) * stream.uniform_double();
}

inline Colour any_colour(PhiloxStream& stream) {
  return {between(stream, 0, 255), between(stream, 0, 255), between(stream, 0, 255)};
}

// Colours of one picture: a common tone that each differs from by a share of it, as those of earth,
// leaves, water or painted walls do.
class Palette {
 public:
  explicit Palette(PhiloxStream& stream) : tone_(any_colour(stream)) {
    const double grey = stream.uniform_double(), mean = (tone_[0] + tone_[1] + tone_[2]) / 3;
    for (double& level : tone_) level = level * (1 - grey) + mean * grey;
    spread_ = between(stream, 0.05, 0.5);
    dim_ = between(stream, 0.3, 1);
  }
  Colour next(PhiloxStream& stream) const {
    Colour colour = any_colour(stream);
    for (std::size_t c = 0; c < 3; ++c)
      colour[c] = dim_ * (tone_[c] * (1 - spread_) + colour[c] * spread_);
    return colour;
  }

 private:
  Colour tone_;
  double spread_ = 0, dim_ = 0;
};

// Smooth noise in about [-1, 1]: values on lattices of several widths, each half as strong as the
// one twice as wide.
class Noise {
 public:
  Noise(PhiloxStream& stream, int cells, int octaves) {
    double strength = 1;
    for (int octave = 0; octave < octaves; ++octave, cells *= 2, strength /= 2) {
      Lattice lattice{cells, strength, {}};
      const int side = cells + 2;
      for (int i = 0; i < side * side; ++i)
        lattice.values.push_back(2 * stream.uniform_double() - 1);
      lattices_.push_back(std::move(lattice));
    }
  }
  double at(double x, double y) const {
    double sum = 0;
    for (const Lattice& lattice : lattices_) {
      const double u = x / kSize * lattice.cells, v = y / kSize * lattice.cells;
      const int column = static_cast<int>(u), row = static_cast<int>(v);
      const double across = smooth(u - column), down = smooth(v - row);
      const auto value = [&](int r, int c) {
        return lattice.values[static_cast<std::size_t>(r * (lattice.cells + 2) + c)];
      };
      const double upper = value(row, column) * (1 - across) + value(row, column + 1) * across;
      const double lower =
          value(row + 1, column) * (1 - across) + value(row + 1, column + 1) * across;
      sum += lattice.strength * (upper * (1 - down) + lower * down);
    }
    return sum;
  }

 private:
  struct Lattice {
    int cells;
    double strength;
    std::vector<double> values;
  };
  static double smooth(double share) { return share * share * (3 - 2 * share); }
  std::vector<Lattice> lattices_;
};

inline Colour mixed(const Colour& first, const Colour& second, double share_of_second) {
  Colour colour{};
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = first[c] * (1 - share_of_second) + second[c] * share_of_second;
  return colour;
}

// Each pixel from a function of its place that returns a Colour.
template <typename ColourAt>
Image painted(ColourAt colour_at) {
  Image image = plain_image(kSceneSize, {0, 0, 0});
  std::size_t at = 0;
  for (int y = 0; y < kSceneSize; ++y) {
    for (int x = 0; x < kSceneSize; ++x) {
      for (const double level : colour_at(x + 0.5, y + 0.5))
        image.rgb[at++] = static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0, 255.0)));
    }
  }
  return image;
}

// A grey value that differs from pixel to pixel, the same for the three colours.
inline void add_grain(Image& image, PhiloxStream& stream, double strength) {
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    const double grain = strength * (stream.uniform_double() + stream.uniform_double() - 1);
    for (std::size_t c = 0; c < 3; ++c)
      image.rgb[i + c] =
          static_cast<std::uint8_t>(std::lround(std::clamp(image.rgb[i + c] + grain, 0.0, 255.0)));
  }
}

}  // namespace marquee::datasets
