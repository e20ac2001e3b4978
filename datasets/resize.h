// Sizes of images: the official preprocessing (antialiased bilinear; central crop of the short side
// for evaluation, scale-then-crop for training) and Pillow's resizing, which clean-fid measures
// with. Thread safe. Sizes below 1 and empty images are defects.
#pragma once

#include "datasets/image.h"

namespace marquee::datasets {

// Pixels that are not rounded to levels.
struct FloatImage {
  int height = 0;
  int width = 0;
  std::vector<float> rgb;  // height * width * 3, row by row, 0..255
  bool operator==(const FloatImage&) const = default;
};

// Antialiased bilinear (triangle filter widened by the reduction; half-pixel centres; weights
// normalised at the borders), as jax.image.resize and tf.image.resize(antialias=True); rounded to
// the nearest level.
Image resize(const Image& image, int height, int width);
// The same without rounding.
FloatImage resize_to_float(const Image& image, int height, int width);

// Part of an image; throws a defect when it does not lie inside.
Image crop(const Image& image, int top, int left, int height, int width);

// Central square of the short side; and resized to size x size.
Image center_crop(const Image& image);
Image center_crop_resize(const Image& image, int size);

// Scale-then-crop, the training geometry (reference/method.md): both sides times
// max(size / height, size / width), rounded (halves to even), so that the short side becomes
// `size`.
struct Extent {
  int height = 0;
  int width = 0;
  bool operator==(const Extent&) const = default;
};
Extent covering_extent(Extent extent, int size);
// The image resized to covering_extent() as by resize_to_float(), and of that size x size at
// (top, left); only this part is computed. Throws a defect when it does not lie inside.
FloatImage scale_then_crop(const Image& image, int size, int top, int left);

Image flip_horizontal(const Image& image);

// Pillow's Image.resize (libImaging/Resample.c): filters widened by the reduction, bicubic with
// a = -0.5, Lanczos of three lobes. Golden test: tests/metrics/resize_golden_test.cpp.
enum class PillowFilter { box, bilinear, bicubic, lanczos };
// Mode RGB: weights of 22 bits, rounded and clipped to levels after each of the two passes. Bit for
// bit Pillow's.
Image pillow_resize(const Image& image, int height, int width, PillowFilter filter);
// Mode F, channel by channel: sums in double, float between the passes. Bicubic and Lanczos
// overshoot 0..255.
FloatImage pillow_resize_to_float(const Image& image, int height, int width, PillowFilter filter);
// What clean-fid's mode "clean" feeds its network: bicubic in mode F, clipped to 0..255.
FloatImage clean_fid_resize(const Image& image, int height, int width);

}  // namespace marquee::datasets
