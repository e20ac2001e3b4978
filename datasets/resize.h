// Geometry of the official preprocessing: central square crop of the short side and antialiased
// bilinear resizing for evaluation; scale-then-crop is built from the same parts for training.
#pragma once

#include "datasets/image.h"

namespace marquee::datasets {

// Antialiased bilinear (triangle filter widened by the reduction; half-pixel centres; weights
// normalised at the borders), as jax.image.resize and tf.image.resize(antialias=True); rounded to
// the nearest level.
Image resize(const Image& image, int height, int width);

// Part of an image; throws a defect when it does not lie inside.
Image crop(const Image& image, int top, int left, int height, int width);

// Central square of the short side, resized to size x size.
Image center_crop_resize(const Image& image, int size);

Image flip_horizontal(const Image& image);

}  // namespace marquee::datasets
