// All images, sizes and methods of resize.h5. Tolerances: the README beside it.
#include <cstdio>

#include <gtest/gtest.h>

#include "tests/fixtures/level_images.h"
#include "tests/fixtures/reference_file.h"
#include "workers/features/resize_rules.h"

namespace marquee::workers {
namespace {

using fixtures::ReferenceFile;

constexpr const char* kResize = "metrics/resize.h5";

// Of 255. Levels of Pillow are met bit for bit, its floats too where it was compiled alike;
// LibTorch's antialiased filters have float32 positions.
double tolerance(ResizeRule rule) {
  const std::string_view name = name_of(rule);
  if (name.ends_with("_uint8") || rule == ResizeRule::pil_nearest) return 0;
  return name.ends_with("_antialias") ? 0.01 : 1e-4;
}

class ResizeGolden : public testing::TestWithParam<ResizeRule> {};

TEST_P(ResizeGolden, EqualsTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kResize);
  const ReferenceFile reference(kResize);
  const ResizeRule rule = GetParam();
  const std::string method(name_of(rule));
  int compared = 0;
  double worst = 0;
  for (const std::string& name : reference.file().children("out")) {
    const datasets::Image image = fixtures::image_of(reference.read("images/" + name));
    for (const std::string& target : reference.file().children("out/" + name)) {
      const std::string group = "out/" + name + "/" + target + "/";
      if (!reference.has(group + method)) continue;
      int height = 0, width = 0;
      ASSERT_EQ(std::sscanf(target.c_str(), "to_%dx%d", &height, &width), 2) << group;
      const Tensor made = resized(image, height, width, rule)
                              .permute({1, 2, 0})
                              .index_select(0, reference.read_ids(group + "rows"))
                              .index_select(1, reference.read_ids(group + "cols"))
                              .to(torch::kFloat64);
      const Tensor expected = reference.read(group + method).to(torch::kFloat64);
      fixtures::expect_close(made, expected, tolerance(rule), 0, group + method);
      worst = std::max(worst, (made - expected).abs().max().item<double>());
      ++compared;
    }
  }
  if (compared == 0) GTEST_SKIP() << "no " << method << " in " << kResize;
  std::printf("%s: largest difference %g in %d images\n", method.c_str(), worst, compared);
}

INSTANTIATE_TEST_SUITE_P(Rules, ResizeGolden, testing::ValuesIn(resize_rules()),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

}  // namespace
}  // namespace marquee::workers
