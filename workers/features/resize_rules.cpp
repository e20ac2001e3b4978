#include "workers/features/resize_rules.h"

#include <algorithm>
#include <utility>

#include "cluster/error.h"
#include "datasets/resize.h"

namespace marquee::workers {
namespace {

using datasets::Image;
using datasets::PillowFilter;

constexpr std::pair<ResizeRule, std::string_view> kNames[] = {
    {ResizeRule::tf1_bilinear, "tf1_bilinear"},
    {ResizeRule::torch_bilinear, "torch_bilinear"},
    {ResizeRule::clean_fid_clean, "clean_fid_clean"},
    {ResizeRule::torch_bilinear_antialias, "torch_bilinear_antialias"},
    {ResizeRule::torch_bilinear_align_corners, "torch_bilinear_align_corners"},
    {ResizeRule::torch_bicubic, "torch_bicubic"},
    {ResizeRule::torch_bicubic_antialias, "torch_bicubic_antialias"},
    {ResizeRule::torch_area, "torch_area"},
    {ResizeRule::pil_nearest, "pil_nearest"},
    {ResizeRule::pil_box_float, "pil_box_float"},
    {ResizeRule::pil_box_uint8, "pil_box_uint8"},
    {ResizeRule::pil_bilinear_float, "pil_bilinear_float"},
    {ResizeRule::pil_bilinear_uint8, "pil_bilinear_uint8"},
    {ResizeRule::pil_bicubic_float_noclip, "pil_bicubic_float_noclip"},
    {ResizeRule::pil_bicubic_uint8, "pil_bicubic_uint8"},
    {ResizeRule::pil_lanczos_float_noclip, "pil_lanczos_float_noclip"},
};

// float32 [3, H, W] of levels, a copy.
Tensor channels_first(const Image& image) {
  return torch::tensor(image.rgb)
      .reshape({image.height, image.width, 3})
      .permute({2, 0, 1})
      .to(torch::kFloat32)
      .contiguous();
}
Tensor channels_first(const datasets::FloatImage& image) {
  return torch::tensor(image.rgb).reshape({image.height, image.width, 3}).permute({2, 0, 1});
}

// Where the output's points lie along one side: the level below, the one above, and how far
// between, in float32 as the tools compute it.
struct Places {
  Tensor low, high, between;
};
Places tf1_places(std::int64_t in, std::int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const Tensor place = torch::arange(out, torch::kFloat32) * scale;
  const Tensor low = place.floor();
  return {low.to(torch::kInt64), (low.to(torch::kInt64) + 1).clamp_max(in - 1), place - low};
}

Tensor tf1_bilinear(const Tensor& image, std::int64_t height, std::int64_t width) {
  const Places y = tf1_places(image.size(1), height), x = tf1_places(image.size(2), width);
  const Tensor left = image.index_select(2, x.low), right = image.index_select(2, x.high);
  const Tensor rows = left + (right - left) * x.between;  // along x
  const Tensor above = rows.index_select(1, y.low), below = rows.index_select(1, y.high);
  return above + (below - above) * y.between.unsqueeze(1);
}

Tensor nearest(const Tensor& image, std::int64_t height, std::int64_t width) {
  // Summed up as Pillow does: what falls onto a border falls to the side that rounding says.
  const auto places = [](std::int64_t in, std::int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    std::vector<std::int64_t> found;
    double place = scale * 0.5;
    for (std::int64_t i = 0; i < out; ++i, place += scale)
      found.push_back(std::min(static_cast<std::int64_t>(place), in - 1));
    return torch::tensor(found);
  };
  return image.index_select(1, places(image.size(1), height))
      .index_select(2, places(image.size(2), width));
}

}  // namespace

std::string_view name_of(ResizeRule rule) {
  for (const auto& [known, name] : kNames)
    if (known == rule) return name;
  cluster::throw_defect("a resize rule without a name");
}

std::optional<ResizeRule> resize_rule_named(std::string_view name) {
  for (const auto& [rule, known] : kNames)
    if (known == name) return rule;
  return std::nullopt;
}

const std::vector<ResizeRule>& resize_rules() {
  static const std::vector<ResizeRule> kAll = [] {
    std::vector<ResizeRule> all;
    for (const auto& [rule, name] : kNames) all.push_back(rule);
    return all;
  }();
  return kAll;
}

Tensor resized(const Image& image, std::int64_t height, std::int64_t width, ResizeRule rule) {
  if (image.height == height && image.width == width) return channels_first(image);
  const auto h = static_cast<int>(height), w = static_cast<int>(width);
  const auto levels = [&](PillowFilter filter) {
    return channels_first(datasets::pillow_resize(image, h, w, filter));
  };
  const auto floats = [&](PillowFilter filter) {
    return channels_first(datasets::pillow_resize_to_float(image, h, w, filter));
  };
  const auto batch = [&] { return channels_first(image).unsqueeze(0); };
  switch (rule) {
    case ResizeRule::tf1_bilinear:
      return tf1_bilinear(channels_first(image), height, width);
    case ResizeRule::torch_bilinear:
      return at::upsample_bilinear2d(batch(), {height, width}, false)[0];
    case ResizeRule::clean_fid_clean:
      return channels_first(datasets::clean_fid_resize(image, h, w));
    case ResizeRule::torch_bilinear_antialias:
      return channels_first(datasets::resize_to_float(image, h, w));
    case ResizeRule::torch_bilinear_align_corners:
      return at::upsample_bilinear2d(batch(), {height, width}, true)[0];
    case ResizeRule::torch_bicubic:
      return at::upsample_bicubic2d(batch(), {height, width}, false)[0];
    case ResizeRule::torch_bicubic_antialias:
    case ResizeRule::pil_bicubic_float_noclip:
      return floats(PillowFilter::bicubic);
    case ResizeRule::torch_area:
      return at::adaptive_avg_pool2d(batch(), {height, width})[0];
    case ResizeRule::pil_nearest:
      return nearest(channels_first(image), height, width);
    case ResizeRule::pil_box_float:
      return floats(PillowFilter::box);
    case ResizeRule::pil_box_uint8:
      return levels(PillowFilter::box);
    case ResizeRule::pil_bilinear_float:
      return floats(PillowFilter::bilinear);
    case ResizeRule::pil_bilinear_uint8:
      return levels(PillowFilter::bilinear);
    case ResizeRule::pil_bicubic_uint8:
      return levels(PillowFilter::bicubic);
    case ResizeRule::pil_lanczos_float_noclip:
      return floats(PillowFilter::lanczos);
  }
  cluster::throw_defect("a resize rule that is not known");
}

}  // namespace marquee::workers
