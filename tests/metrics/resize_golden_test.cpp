// All images, sizes and methods of resize.h5 that are ours. Tolerances: the README beside it.
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>

#include "datasets/resize.h"
#include "tests/fixtures/reference_file.h"

namespace marquee::datasets {
namespace {

using fixtures::ReferenceFile;
using fixtures::Tensor;

constexpr const char* kResize = "metrics/resize.h5";

Image image_of(const Tensor& levels) {
  const Tensor whole = levels.to(torch::kUInt8).contiguous();
  const auto* data = whole.data_ptr<std::uint8_t>();
  return {static_cast<int>(whole.size(0)),
          static_cast<int>(whole.size(1)),
          {data, data + whole.numel()}};
}

Tensor tensor_of(const Image& image) {
  return torch::tensor(image.rgb).reshape({image.height, image.width, 3});
}
Tensor tensor_of(const FloatImage& image) {
  return torch::tensor(image.rgb).reshape({image.height, image.width, 3});
}

struct Method {
  const char* name;  // in the file
  double tolerance;  // of 255
  std::function<Tensor(const Image&, int height, int width)> resize;
};

Tensor pillow(const Image& image, int height, int width, PillowFilter filter) {
  return tensor_of(pillow_resize(image, height, width, filter));
}
Tensor pillow_float(const Image& image, int height, int width, PillowFilter filter) {
  return tensor_of(pillow_resize_to_float(image, height, width, filter));
}

// Levels of Pillow are met bit for bit, its floats too where it was compiled alike; torch's filters
// have float32 positions.
const Method kMethods[] = {
    {"torch_bilinear_antialias", 0.01,
     [](const Image& image, int h, int w) { return tensor_of(resize_to_float(image, h, w)); }},
    {"clean_fid_clean", 1e-4,
     [](const Image& image, int h, int w) { return tensor_of(clean_fid_resize(image, h, w)); }},
    {"torch_bicubic_antialias", 0.01,
     [](const Image& image, int h, int w) {
       return pillow_float(image, h, w, PillowFilter::bicubic);
     }},
    {"pil_bicubic_float_noclip", 1e-4,
     [](const Image& image, int h, int w) {
       return pillow_float(image, h, w, PillowFilter::bicubic);
     }},
    {"pil_bicubic_uint8", 0,
     [](const Image& image, int h, int w) { return pillow(image, h, w, PillowFilter::bicubic); }},
    {"pil_bilinear_float", 1e-4,
     [](const Image& image, int h, int w) {
       return pillow_float(image, h, w, PillowFilter::bilinear);
     }},
    {"pil_bilinear_uint8", 0,
     [](const Image& image, int h, int w) { return pillow(image, h, w, PillowFilter::bilinear); }},
    {"pil_box_float", 1e-4,
     [](const Image& image, int h, int w) { return pillow_float(image, h, w, PillowFilter::box); }},
    {"pil_box_uint8", 0,
     [](const Image& image, int h, int w) { return pillow(image, h, w, PillowFilter::box); }},
    {"pil_lanczos_float_noclip", 1e-4,
     [](const Image& image, int h, int w) {
       return pillow_float(image, h, w, PillowFilter::lanczos);
     }},
};

void PrintTo(const Method& method, std::ostream* out) {
  *out << method.name;
}

class ResizeGolden : public testing::TestWithParam<Method> {};

TEST_P(ResizeGolden, EqualsTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kResize);
  const ReferenceFile reference(kResize);
  const Method& method = GetParam();
  int compared = 0;
  double worst = 0;
  for (const std::string& name : reference.file().children("out")) {
    const Image image = image_of(reference.read("images/" + name));
    for (const std::string& target : reference.file().children("out/" + name)) {
      const std::string group = "out/" + name + "/" + target + "/";
      if (!reference.has(group + method.name)) continue;
      int height = 0, width = 0;
      ASSERT_EQ(std::sscanf(target.c_str(), "to_%dx%d", &height, &width), 2) << group;
      const Tensor resized = method.resize(image, height, width)
                                 .index_select(0, reference.read_ids(group + "rows"))
                                 .index_select(1, reference.read_ids(group + "cols"))
                                 .to(torch::kFloat64);
      const Tensor expected = reference.read(group + method.name).to(torch::kFloat64);
      fixtures::expect_close(resized, expected, method.tolerance, 0, group + method.name);
      worst = std::max(worst, (resized - expected).abs().max().item<double>());
      ++compared;
    }
  }
  if (compared == 0) GTEST_SKIP() << "no " << method.name << " in " << kResize;
  std::printf("%s: largest difference %g in %d images\n", method.name, worst, compared);
}

INSTANTIATE_TEST_SUITE_P(Methods, ResizeGolden, testing::ValuesIn(kMethods),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace marquee::datasets
