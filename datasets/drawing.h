// What drawn tasks and drawn scenes are made of: shapes and strokes with smooth edges on an RGB
// image. Deterministic: the same numbers give the same bytes on every machine with IEEE arithmetic.
#pragma once

#include <array>
#include <vector>

#include "datasets/image.h"

namespace marquee::datasets {

using Colour = std::array<double, 3>;  // red, green, blue, 0..255

struct Point {
  double x = 0, y = 0;  // pixels from the upper left corner
};

// Inside test of a shape centred at the origin with half size one.
using Shape = bool (*)(double x, double y);

struct PlacedShape {
  Shape inside;
  double x, y, radius, angle;  // pixels, radians
  Colour colour;
  bool shaded;  // as if lit from the upper left
};

Image plain_image(int size, const Colour& colour);
// From `top` in the first row to `bottom` in the last.
Image gradient_image(int size, const Colour& top, const Colour& bottom);

// 3 x 3 points a pixel decide how much of it is covered.
void draw(Image& image, const PlacedShape& shape);
// A line of this width with round ends through all points.
void draw_stroke(Image& image, const std::vector<Point>& points, double width,
                 const Colour& colour);

}  // namespace marquee::datasets
