// Every way of resizing that the field's metrics use or were found to use by mistake, by name:
// which one a network's images went through moves FID more than most methods do. Proven by
// reference/metrics/resize.h5 (tests/metrics/resize_golden_test.cpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/image.h"
#include "workers/torch.h"

namespace marquee::workers {

enum class ResizeRule {
  tf1_bilinear,     // TensorFlow 1: corners at 0, no antialiasing (FID's original, torch-fidelity)
  torch_bilinear,   // half-pixel centres, no antialiasing (pytorch-fid)
  clean_fid_clean,  // Pillow's antialiased bicubic in float, clipped
  torch_bilinear_antialias,
  torch_bilinear_align_corners,
  torch_bicubic,  // a = -0.75
  torch_bicubic_antialias,
  torch_area,
  pil_nearest,
  pil_box_float,
  pil_box_uint8,
  pil_bilinear_float,
  pil_bilinear_uint8,
  pil_bicubic_float_noclip,
  pil_bicubic_uint8,
  pil_lanczos_float_noclip,
};

std::string_view name_of(ResizeRule rule);
std::optional<ResizeRule> resize_rule_named(std::string_view name);
const std::vector<ResizeRule>& resize_rules();

// -> float32 [3, height, width], levels 0..255 (the _noclip rules overshoot). The images' own size
// passes through every rule unchanged.
Tensor resized(const datasets::Image& image, std::int64_t height, std::int64_t width,
               ResizeRule rule);

}  // namespace marquee::workers
