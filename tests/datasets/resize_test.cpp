#include "datasets/resize.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

// Noise, the same everywhere.
Image noise(int height, int width) {
  Image image{height, width, {}};
  std::uint32_t state = static_cast<std::uint32_t>(height * 1000 + width);
  for (int i = 0; i < height * width * 3; ++i) {
    state = state * 1664525 + 1013904223;
    image.rgb.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return image;
}

struct Pinned {
  int height, width, to_height, to_width;
  const char* sha256;
};

void PrintTo(const Pinned& pinned, std::ostream* out) {
  *out << pinned.height << "x" << pinned.width << " to " << pinned.to_height << "x"
       << pinned.to_width;
}

class PinnedResize : public testing::TestWithParam<Pinned> {};

// Numbers of runs depend on these bytes.
TEST_P(PinnedResize, GivesTheBytesItAlwaysGave) {
  const Pinned& pinned = GetParam();
  const Image image = resize(noise(pinned.height, pinned.width), pinned.to_height, pinned.to_width);
  EXPECT_EQ(rgb_hash(image), pinned.sha256);
}

INSTANTIATE_TEST_SUITE_P(
    Images, PinnedResize,
    testing::Values(
        Pinned{1, 1, 3, 5, "3a72464aa00ece8c1da4d6f20a61aabccebc1a1406c894f14b9e8479e7a9ebf7"},
        Pinned{5, 7, 64, 64, "6eb2e84a9ace501cc60c186ca588cb33e01c8674029dd2865f65b4f0de42d73e"},
        Pinned{300, 200, 64, 64,
               "5fd7aaa8f3cab364aff4a6d8e46f678ccb955eb674e147b25f601c9a4ce59c95"},
        Pinned{64, 48, 256, 256,
               "4337147ad1c8d99f481149fd6434d97112ba41fd1517ac76ffb90f5757065306"},
        Pinned{37, 53, 299, 41, "f8337b12dcb20ee25df9fcea865ca79a7720e5c881b161f735132c7277ca42e5"},
        Pinned{31, 641, 17, 16, "9afeab63b3f460d9f0217c45333f2dd5ecc6ff5e3f57e4896a406676e60353a6"},
        Pinned{256, 256, 32, 32,
               "95180c7bb13e143cb6be3b9aad441940d198bac95ba8cc9d0b847e1a02292a0f"},
        Pinned{200, 1, 7, 2, "e1e8b221224550d1c81d3870e123cad0a2f95e4bcee40f7eaa537f1dfda2ed89"},
        Pinned{64, 64, 64, 48, "7ad3ee81f55b7b365553d5c2630b5a346e35eac9bea5689295d81d999d1dd681"},
        Pinned{9, 64, 4, 64, "39131985f772fc126e2c30bdc2503ba93ad6086e1ba09a8b02d49da6edb3c226"}));

TEST(CenterCropResize, GivesTheBytesItAlwaysGave) {
  EXPECT_EQ(rgb_hash(center_crop_resize(noise(301, 200), 64)),
            "02d502d373a31e6d3e730c930f406118f08fc12fd08dc3dc8673ed50aceed7c2");
}

std::vector<std::uint8_t> rounded(const FloatImage& image) {
  std::vector<std::uint8_t> levels;
  for (const float value : image.rgb)
    levels.push_back(static_cast<std::uint8_t>(std::lround(value)));
  return levels;
}

TEST(ResizeToFloat, IsWhatResizeRounds) {
  const Image image = noise(61, 83);
  for (const auto& [height, width] : {std::pair{17, 90}, {64, 64}, {61, 83}, {61, 20}})
    EXPECT_EQ(rounded(resize_to_float(image, height, width)), resize(image, height, width).rgb);
}

TEST(Resize, RefusesEmptyImages) {
  EXPECT_THROW(resize({}, 4, 4), cluster::Error);
  EXPECT_THROW(resize(noise(3, 3), 0, 4), cluster::Error);
  EXPECT_THROW(resize_to_float(noise(3, 3), 4, -1), cluster::Error);
  EXPECT_THROW(pillow_resize({}, 4, 4, PillowFilter::box), cluster::Error);
}

TEST(CoveringExtent, LeavesTheShortSideAtTheSize) {
  EXPECT_EQ(covering_extent({300, 200}, 256), (Extent{384, 256}));
  EXPECT_EQ(covering_extent({64, 64}, 256), (Extent{256, 256}));
  EXPECT_EQ(covering_extent({333, 1000}, 100), (Extent{100, 300}));
  EXPECT_EQ(covering_extent({4, 9}, 2), (Extent{2, 4}));   // 4.5
  EXPECT_EQ(covering_extent({4, 11}, 2), (Extent{2, 6}));  // 5.5
}

TEST(ScaleThenCrop, IsAPartOfTheResizedImage) {
  const Image image = noise(90, 67);
  constexpr int kSize = 48, kTop = 11, kLeft = 0;
  const Extent full = covering_extent({image.height, image.width}, kSize);
  const FloatImage whole = resize_to_float(image, full.height, full.width);
  const FloatImage part = scale_then_crop(image, kSize, kTop, kLeft);
  ASSERT_EQ(part.rgb.size(), std::size_t{kSize} * kSize * 3);
  for (int y = 0; y < kSize; ++y) {
    const auto row = whole.rgb.begin() + ((kTop + y) * full.width + kLeft) * 3;
    EXPECT_TRUE(std::equal(row, row + kSize * 3, part.rgb.begin() + y * kSize * 3)) << y;
  }
}

TEST(ScaleThenCrop, RefusesAPartThatLiesOutside) {
  const Image image = noise(90, 60);  // 60 x 40
  EXPECT_NO_THROW(scale_then_crop(image, 40, 20, 0));
  EXPECT_THROW(scale_then_crop(image, 40, 21, 0), cluster::Error);
  EXPECT_THROW(scale_then_crop(image, 40, 0, 1), cluster::Error);
  EXPECT_THROW(scale_then_crop(image, 40, -1, 0), cluster::Error);
}

TEST(PillowResize, LeavesAnImageOfTheSizeAsItIs) {
  const Image image = noise(12, 9);
  for (const auto filter :
       {PillowFilter::box, PillowFilter::bilinear, PillowFilter::bicubic, PillowFilter::lanczos}) {
    EXPECT_EQ(pillow_resize(image, 12, 9, filter), image);
    EXPECT_EQ(rounded(pillow_resize_to_float(image, 12, 9, filter)), image.rgb);
  }
}

TEST(PillowResize, KeepsAPlainColour) {
  const Image plain{5, 5, std::vector<std::uint8_t>(75, 201)};
  for (const auto filter :
       {PillowFilter::box, PillowFilter::bilinear, PillowFilter::bicubic, PillowFilter::lanczos}) {
    EXPECT_EQ(pillow_resize(plain, 3, 17, filter).rgb, std::vector<std::uint8_t>(153, 201));
  }
}

TEST(CleanFidResize, IsClippedBicubic) {
  const Image image = noise(40, 40);
  const FloatImage bicubic = pillow_resize_to_float(image, 80, 60, PillowFilter::bicubic);
  const FloatImage clean = clean_fid_resize(image, 80, 60);
  const auto [least, most] = std::minmax_element(bicubic.rgb.begin(), bicubic.rgb.end());
  EXPECT_LT(*least, 0);
  EXPECT_GT(*most, 255);
  for (std::size_t i = 0; i < clean.rgb.size(); ++i)
    ASSERT_EQ(clean.rgb[i], std::clamp(bicubic.rgb[i], 0.0f, 255.0f));
}

}  // namespace
}  // namespace marquee::datasets
