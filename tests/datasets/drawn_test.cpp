#include "datasets/drawn.h"

#include <array>

#include <gtest/gtest.h>

#include "cluster/error.h"
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
                         testing::Values("drawn/dsprites_location", "drawn/shapes_count"),
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

}  // namespace
}  // namespace marquee::datasets
