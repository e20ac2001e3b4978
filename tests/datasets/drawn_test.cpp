#include "datasets/drawn.h"

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/drawn_scenes.h"
#include "datasets/few_shot.h"

namespace marquee::datasets {
namespace {

class DrawnSplits : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<Dataset> open(std::string_view split) {
    return open_dataset(find_task(GetParam()), split, {});
  }
  // The rows [from, from + part.size()) of `whole` are those of `part`.
  static void expect_part(const Dataset& whole, std::size_t from, const Dataset& part) {
    ASSERT_LE(from + part.size(), whole.size());
    for (std::size_t i = 0; i < part.size(); i += 97) {
      EXPECT_EQ(whole.id(from + i), part.id(i));
      EXPECT_EQ(whole.label(from + i), part.label(i));
      EXPECT_EQ(whole.image(from + i), part.image(i));
    }
  }
};

TEST_P(DrawnSplits, HaveLabelsInRangeAndImagesOfOneSize) {
  for (const std::string& split : split_names()) {
    const auto dataset = open(split);
    ASSERT_GT(dataset->size(), 0u) << split;
    for (const int label : labels_of(*dataset)) {
      ASSERT_GE(label, 0);
      ASSERT_LT(label, dataset->num_classes());
    }
    const Image image = dataset->image(dataset->size() - 1);
    EXPECT_EQ(image.height, kDrawnSize);
    EXPECT_EQ(image.width, kDrawnSize);
    EXPECT_EQ(image.rgb.size(), std::size_t{kDrawnSize} * kDrawnSize * 3);
  }
}

TEST_P(DrawnSplits, TrainvalIsTrainThenVal) {
  const auto train = open("train"), val = open("val"), both = open("trainval");
  ASSERT_EQ(both->size(), train->size() + val->size());
  expect_part(*both, 0, *train);
  expect_part(*both, train->size(), *val);
}

TEST_P(DrawnSplits, TheVtab1kSetIsTheHeadOfTrainThenTheHeadOfVal) {
  const auto both = open("train800val200"), train = open("train800"), val = open("val200");
  ASSERT_EQ(train->size(), 800u);
  ASSERT_EQ(val->size(), 200u);
  ASSERT_EQ(both->size(), 1000u);
  expect_part(*both, 0, *train);
  expect_part(*both, 800, *val);
  expect_part(*open("train"), 0, *train);
  expect_part(*open("val"), 0, *val);
}

TEST_P(DrawnSplits, ShareNoImage) {
  const auto train = open("train"), val = open("val"), test = open("test");
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_NE(train->image(i), val->image(i));
    EXPECT_NE(val->image(i), test->image(i));
    EXPECT_NE(train->image(i), train->image(i + 1));
  }
}

TEST_P(DrawnSplits, RefuseAnUnknownName) {
  try {
    open("trian");
    FAIL() << "opened";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("'train'"), std::string::npos) << error.what();
  }
}

TEST_P(DrawnSplits, GiveEveryShotsWord) {
  for (const char* shots : {"5", "vtab1k", "full"}) {
    const auto dataset = open(split_for_shots(shots));
    const auto chosen = select_shots(*dataset, shots, 1);
    const std::size_t wanted =
        shots_per_class(shots) > 0
            ? static_cast<std::size_t>(shots_per_class(shots) * dataset->num_classes())
            : dataset->size();
    EXPECT_EQ(chosen.size(), wanted) << shots;
  }
}

INSTANTIATE_TEST_SUITE_P(Drawn, DrawnSplits,
                         testing::Values("drawn/dsprites_location", "drawn/dsprites_orientation",
                                         "drawn/shapes_count", "drawn/shapes_distance",
                                         "drawn/digits"),
                         [](const auto& tested) {
                           return std::string(tested.param).substr(std::string("drawn/").size());
                         });

TEST(DrawnDsprites, TheShapeStandsFurtherRightWithEveryClass) {
  const auto dataset = open_dataset(find_task("drawn/dsprites_location"), "train", {});
  std::array<double, 16> column{}, images{};
  for (std::size_t i = 0; i < 1600; ++i) {
    const Image image = dataset->image(i);
    double weight = 0, sum = 0;
    for (int pixel = 0; pixel < image.height * image.width; ++pixel) {
      const double level = image.rgb[static_cast<std::size_t>(pixel) * 3];
      weight += level;
      sum += level * (pixel % image.width);
    }
    ASSERT_GT(weight, 0) << "empty image " << i;
    column.at(static_cast<std::size_t>(dataset->label(i))) += sum / weight;
    images.at(static_cast<std::size_t>(dataset->label(i))) += 1;
  }
  for (std::size_t label = 1; label < 16; ++label)
    EXPECT_GT(column[label] / images[label], column[label - 1] / images[label - 1] + 1) << label;
}

// FNV-1a over the first images of a split.
std::uint64_t hash_of(const Dataset& dataset, std::size_t images) {
  std::uint64_t hash = 1469598103934665603u;
  for (std::size_t i = 0; i < images; ++i)
    for (const std::uint8_t level : dataset.image(i).rgb) hash = (hash ^ level) * 1099511628211u;
  return hash;
}

// Runs of these tasks have ids that say nothing of the drawing but its version: a picture that
// changes needs another one.
TEST(DrawnTasks, AreTheSamePicturesAsEver) {
  const auto hash = [](const char* task) {
    return hash_of(*open_dataset(find_task(task), "train", {}), 500);
  };
  EXPECT_EQ(hash("drawn/dsprites_location"), 0xdfb713eae0d90746u);
  EXPECT_EQ(hash("drawn/shapes_count"), 0x5dc6418adaa5734au);
  EXPECT_EQ(hash("drawn/dsprites_orientation"), 0x7cc7236f59df4da8u);
  EXPECT_EQ(hash("drawn/shapes_distance"), 0x1d577a490135d986u);
  EXPECT_EQ(hash("drawn/digits"), 0xf8500dbce4b9b012u);
}

// Mean direction of the heart's point, or of whatever the shape is, cannot be told; its second
// moments can: the same label gives the same axis up to half a turn.
TEST(DrawnTasks, AnOrientationIsASectorOfTheTurn) {
  const auto dataset = open_dataset(find_task("drawn/dsprites_orientation"), "train", {});
  std::array<double, 16> cosine{}, sine{};
  std::array<int, 16> images{};
  for (std::size_t i = 0; i < 3000; ++i) {
    const Image image = dataset->image(i);
    double weight = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    for (int pixel = 0; pixel < image.height * image.width; ++pixel) {
      const double level = image.rgb[static_cast<std::size_t>(pixel) * 3];
      const double px = pixel % image.width, py = pixel / image.width;
      weight += level;
      x += level * px;
      y += level * py;
      xx += level * px * px;
      xy += level * px * py;
      yy += level * py * py;
    }
    ASSERT_GT(weight, 0);
    const double a = xx / weight - x * x / weight / weight,
                 b = xy / weight - x * y / weight / weight,
                 c = yy / weight - y * y / weight / weight;
    // Twice the angle of the long axis; squares have none.
    if (std::hypot(a - c, 2 * b) < 0.2 * (a + c)) continue;
    const auto label = static_cast<std::size_t>(dataset->label(i));
    cosine.at(label) += (a - c) / std::hypot(a - c, 2 * b);
    sine.at(label) += 2 * b / std::hypot(a - c, 2 * b);
    ++images.at(label);
  }
  for (std::size_t label = 0; label < 16; ++label) {
    ASSERT_GT(images[label], 30) << label;
    const double turn = std::atan2(sine[label], cosine[label]);
    const double expected = 2 * 2 * std::numbers::pi * (static_cast<double>(label) + 0.5) / 16;
    EXPECT_GT(std::cos(turn - expected), 0.9) << label;
    EXPECT_GT(std::hypot(sine[label], cosine[label]), 0.8 * images[label]) << label;
  }
}

// The lowest row that differs from the ground falls as the distance grows.
TEST(DrawnTasks, TheNearestSolidStandsHigherWithEveryClassOfDistance) {
  const auto dataset = open_dataset(find_task("drawn/shapes_distance"), "train", {});
  std::array<double, 6> lowest{}, images{};
  for (std::size_t i = 0; i < 600; ++i) {
    const Image image = dataset->image(i);
    int found = 0;
    for (int y = 0; y < image.height; ++y) {
      const std::uint8_t* row = &image.rgb[static_cast<std::size_t>(y * image.width) * 3];
      for (int x = 0; x < image.width * 3; x += 3) {
        if (row[x] != row[x + 1] || row[x] != row[x + 2]) found = y;  // the ground is grey
      }
    }
    const auto label = static_cast<std::size_t>(dataset->label(i));
    lowest.at(label) += found;
    images.at(label) += 1;
  }
  for (std::size_t label = 1; label < 6; ++label)
    EXPECT_LT(lowest[label] / images[label], lowest[label - 1] / images[label - 1] - 0.3) << label;
}

// What is common to the pictures of a digit tells them from others: the nearest mean picture, in
// absolute difference from the wall, names most of them.
TEST(DrawnTasks, DigitsCanBeTold) {
  const auto dataset = open_dataset(find_task("drawn/digits"), "trainval", {});
  constexpr std::size_t kPixels = std::size_t{kDrawnSize} * kDrawnSize, kFirst = 2000;
  const auto ink = [&](std::size_t index) {
    const Image image = dataset->image(index);
    std::vector<double> values(kPixels);
    double mean = 0;
    for (std::size_t i = 0; i < kPixels; ++i)
      mean += values[i] =
          std::abs(image.rgb[i * 3] - image.rgb[0]) + std::abs(image.rgb[i * 3 + 1] - image.rgb[1]);
    double spread = 0;
    for (double& value : values) {
      value -= mean / kPixels;
      spread += value * value;
    }
    for (double& value : values) value /= std::sqrt(spread) + 1e-9;
    return values;
  };
  std::array<std::vector<double>, 10> means;
  means.fill(std::vector<double>(kPixels));
  for (std::size_t i = 0; i < kFirst; ++i) {
    const std::vector<double> values = ink(i);
    std::vector<double>& mean = means.at(static_cast<std::size_t>(dataset->label(i)));
    for (std::size_t k = 0; k < kPixels; ++k) mean[k] += values[k];
  }
  int right = 0;
  for (std::size_t i = kFirst; i < kFirst + 300; ++i) {
    const std::vector<double> values = ink(i);
    std::size_t best = 0;
    double most = -1e9;
    for (std::size_t digit = 0; digit < 10; ++digit) {
      const double norm = std::sqrt(
          std::inner_product(means[digit].begin(), means[digit].end(), means[digit].begin(), 0.0));
      const double product =
          std::inner_product(values.begin(), values.end(), means[digit].begin(), 0.0) / norm;
      if (product > most) {
        most = product;
        best = digit;
      }
    }
    right += best == static_cast<std::size_t>(dataset->label(i)) ? 1 : 0;
  }
  EXPECT_GT(right, 120) << "of 300; chance is 30";
}

TEST(DrawnScenes, AreAFunctionOfTheirNumber) {
  EXPECT_EQ(drawn_scene(12), drawn_scene(12));
  for (std::uint64_t number = 0; number < 64; ++number) {
    const Image image = drawn_scene(number);
    EXPECT_EQ(image.height, kSceneSize);
    EXPECT_EQ(image.width, kSceneSize);
    ASSERT_EQ(image.rgb.size(), std::size_t{kSceneSize} * kSceneSize * 3);
    EXPECT_NE(image, drawn_scene(number + kSceneKinds));
  }
  std::array<int, kSceneKinds> seen{};
  for (std::uint64_t number = 0; number < 16; ++number)
    ++seen.at(static_cast<std::size_t>(scene_kind(number)));
  for (int kind = 0; kind < kSceneKinds; ++kind)
    EXPECT_EQ(seen.at(static_cast<std::size_t>(kind)), kind < 8 ? 1 : 2) << "kind " << kind;
  std::uint64_t hash = 1469598103934665603u;
  for (std::uint64_t number = 0; number < 1600; ++number)
    for (const std::uint8_t level : drawn_scene(number).rgb) hash = (hash ^ level) * 1099511628211u;
  EXPECT_EQ(hash, 0x3d59f73cc448c87eu) << "a base's data hash counts on version and number alone";
}

}  // namespace
}  // namespace marquee::datasets
