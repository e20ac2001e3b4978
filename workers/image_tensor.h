// Images between 8-bit RGB and float tensors.
#pragma once

#include <vector>

#include "datasets/image.h"
#include "datasets/resize.h"
#include "workers/torch.h"

namespace marquee::workers {

// Images of one size -> float32 [B, 3, H, W] in [0, 1], contiguous (GroupNorm of LibTorch is
// several times slower channels-last).
Tensor to_tensor(const std::vector<datasets::Image>& images);

// float32 [3, H, W] in [0, 1].
Tensor to_tensor(const datasets::FloatImage& image);

// float [B, 3, H, W], nominally [0, 1] -> uint8 levels as a PNG holds them: clipped, rounded to
// nearest.
std::vector<datasets::Image> to_images(const Tensor& images);

// Appends the first images of a batch until `kept` holds `keep` of them.
void append_images(const Tensor& images, std::int64_t keep, std::vector<datasets::Image>& kept);

// What the levels of a PNG are as floats again: to_tensor(to_images(x)) without the detour.
Tensor rounded_to_levels(const Tensor& images);

}  // namespace marquee::workers
