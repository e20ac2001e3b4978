// Registry, few-shot selection, drawn tasks, resizing: nothing here needs data.
#include "datasets/task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/few_shot.h"
#include "datasets/resize.h"

namespace marquee::datasets {
namespace {

std::vector<int> shuffled_labels(int classes, int each) {
  std::vector<int> labels;
  for (int i = 0; i < classes * each; ++i) labels.push_back((i * 7 + i / classes) % classes);
  return labels;
}

TEST(Registry, HasTheNineteenTasksAndTheDrawnOnes) {
  const std::vector<std::string> vtab{"caltech101",
                                      "cifar100",
                                      "dtd",
                                      "oxford_flowers102",
                                      "oxford_iiit_pet",
                                      "svhn",
                                      "sun397",
                                      "patch_camelyon",
                                      "eurosat",
                                      "resisc45",
                                      "diabetic_retinopathy",
                                      "clevr_count",
                                      "clevr_distance",
                                      "dmlab",
                                      "kitti_closest_vehicle_distance",
                                      "dsprites_location",
                                      "dsprites_orientation",
                                      "smallnorb_azimuth",
                                      "smallnorb_elevation"};
  for (const std::string& name : vtab) EXPECT_NE(find_task(name).group, TaskGroup::drawn) << name;
  int real = 0;
  for (const TaskInfo& task : all_tasks()) {
    const bool drawn = task.group == TaskGroup::drawn;
    EXPECT_EQ(task.name.starts_with("drawn/"), drawn) << task.name;
    real += drawn ? 0 : 1;
  }
  EXPECT_EQ(real, 19);
}

TEST(Registry, SuggestsTheNearestTask) {
  try {
    find_task("eurosta");
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("'eurosat'"), std::string::npos);
  }
}

TEST(FewShot, IsBalancedSortedAndWithoutRepetition) {
  const std::vector<int> labels = shuffled_labels(6, 30);
  const auto chosen = select_few_shot(labels, 6, 5, 1);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  EXPECT_EQ(std::set<std::size_t>(chosen.begin(), chosen.end()).size(), 30u);
  std::map<int, int> counts;
  for (const std::size_t i : chosen) ++counts[labels[i]];
  for (int label = 0; label < 6; ++label) EXPECT_EQ(counts[label], 5) << label;
}

TEST(FewShot, LargerSetsHoldSmallerOnes) {
  const std::vector<int> labels = shuffled_labels(4, 40);
  const auto small = select_few_shot(labels, 4, 5, 3), large = select_few_shot(labels, 4, 20, 3);
  EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end()));
}

TEST(FewShot, FollowsTheSeed) {
  const std::vector<int> labels = shuffled_labels(4, 40);
  EXPECT_EQ(select_few_shot(labels, 4, 5, 3), select_few_shot(labels, 4, 5, 3));
  EXPECT_NE(select_few_shot(labels, 4, 5, 3), select_few_shot(labels, 4, 5, 4));
}

TEST(FewShot, NamesTheClassThatHasTooFew) {
  try {
    select_few_shot({0, 0, 1}, 2, 2, 0);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("class 1"), std::string::npos) << error.what();
  }
}

TEST(FewShot, LeavesOutImagesWithoutAClass) {
  const auto chosen = select_few_shot({-1, 0, -1, 1, 0, 1}, 2, 2, 0);
  EXPECT_EQ(chosen, (std::vector<std::size_t>{1, 3, 4, 5}));
}

TEST(Shots, RefusesWhatIsNeitherANumberNorAName) {
  for (const char* word : {"", "0", "05", "-1", "5.0", "many", "5 ", "99999999999"})
    EXPECT_THROW(shots_per_class(word), cluster::Error) << word;
  EXPECT_EQ(shots_per_class("20"), 20);
  EXPECT_EQ(shots_per_class("vtab1k"), 0);
}

class DrawnTask : public testing::TestWithParam<const char*> {};

TEST_P(DrawnTask, IsAPureFunctionOfSplitAndIndex) {
  const auto one = open_dataset(find_task(GetParam()), "train", {});
  const auto two = open_dataset(find_task(GetParam()), "train", {});
  const auto test = open_dataset(find_task(GetParam()), "test", {});
  for (const std::size_t i : {std::size_t{0}, std::size_t{17}, one->size() - 1}) {
    EXPECT_EQ(one->image(i).rgb, two->image(i).rgb);
    EXPECT_EQ(one->label(i), two->label(i));
  }
  EXPECT_NE(one->image(3).rgb, test->image(3).rgb);
}

TEST_P(DrawnTask, HasEveryClassOftenEnoughForFewShots) {
  const TaskInfo& task = find_task(GetParam());
  const auto train = open_dataset(task, "train", {});
  std::map<int, int> counts;
  for (const int label : labels_of(*train)) ++counts[label];
  EXPECT_EQ(counts.begin()->first, 0);
  EXPECT_EQ(counts.rbegin()->first, task.num_classes - 1);
  for (const auto& [label, count] : counts) EXPECT_GE(count, 20) << label;
}

INSTANTIATE_TEST_SUITE_P(All, DrawnTask,
                         testing::Values("drawn/dsprites_location", "drawn/shapes_count"));

TEST(FewShot, IsBalancedAndNestedForEverySeedAndShape) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    const int classes = 1 + static_cast<int>(random() % 12);
    const int most = 1 + static_cast<int>(random() % 20);
    std::vector<int> labels;
    for (int label = -1; label < classes; ++label)
      labels.insert(labels.end(), static_cast<std::size_t>(most) + random() % 30, label);
    std::shuffle(labels.begin(), labels.end(), random);
    const std::uint64_t seed = random();
    std::vector<std::size_t> smaller;
    for (int shots = 1; shots <= most; ++shots) {
      const auto chosen = select_few_shot(labels, classes, shots, seed);
      std::map<int, int> counts;
      for (const std::size_t i : chosen) ++counts[labels.at(i)];
      ASSERT_EQ(counts.size(), static_cast<std::size_t>(classes));
      for (const auto& [label, count] : counts) ASSERT_EQ(count, shots) << label;
      ASSERT_TRUE(std::includes(chosen.begin(), chosen.end(), smaller.begin(), smaller.end()));
      smaller = chosen;
    }
  }
}

TEST(FewShot, ShowsBothCountsWhenAClassHasTooFew) {
  try {
    select_few_shot({0, 0, 0, 1, 1}, 2, 3, 0);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_STREQ(error.what(), "3 shots a class were asked for, too few images: class 1 has 2");
  }
}

TEST(FewShot, TakesTheNextOfTheClassForWhatCannotBeRead) {
  const std::vector<int> labels = shuffled_labels(3, 10);
  const auto usual = select_few_shot(labels, 3, 4, 2);
  const std::set<std::size_t> unreadable{usual[1], usual[5]};
  const auto other = select_few_shot(labels, 3, 4, 2, unreadable);
  std::map<int, int> counts;
  std::size_t kept = 0;
  for (const std::size_t row : other) {
    EXPECT_FALSE(unreadable.contains(row));
    ++counts[labels[row]];
    kept += std::count(usual.begin(), usual.end(), row);
  }
  for (int label = 0; label < 3; ++label) EXPECT_EQ(counts[label], 4);
  EXPECT_EQ(kept, usual.size() - 2);
}

TEST(OwnTasks, AreNamedAfterAFolder) {
  const TaskInfo& task = find_task("folder/birds/2024-b");
  EXPECT_EQ(&task, &find_task("folder/birds/2024-b"));
  EXPECT_EQ(task.group, TaskGroup::own);
  EXPECT_EQ(to_string(task.group), "own");
  EXPECT_TRUE(flips(task, true));
  for (const char* name : {"folder/", "folder//x", "folder/../x", "folder/.x", "folder/a/",
                           "folder/a b", "folder/a\nb", "folder/a\\b"}) {
    EXPECT_THROW(find_task(name), cluster::Error) << name;
  }
}

TEST(Flips, AreTheOfficialOnesForVtabAndSensibleOnesForDrawnTasks) {
  for (const TaskInfo& task : all_tasks()) {
    EXPECT_FALSE(flips(task, false)) << task.name;
    EXPECT_EQ(flips(task, true), task.group != TaskGroup::drawn || task.mirrors_keep_label)
        << task.name;
  }
  EXPECT_TRUE(flips(find_task("svhn"), true));
  EXPECT_FALSE(find_task("svhn").mirrors_keep_label);
  EXPECT_FALSE(flips(find_task("drawn/digits"), true));
}

TEST(Shots, NameTheSplitTheyAreTakenFrom) {
  EXPECT_EQ(split_for_shots("5"), "train");
  EXPECT_EQ(split_for_shots("vtab1k"), "train800val200");
  EXPECT_EQ(split_for_shots("full"), "trainval");
}

Image ramp(int height, int width) {
  Image image{height, width, {}};
  for (int i = 0; i < height * width * 3; ++i)
    image.rgb.push_back(static_cast<std::uint8_t>(i * 31));
  return image;
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const Image image = ramp(13, 9);
  EXPECT_EQ(resize(image, 13, 9).rgb, image.rgb);
}

TEST(Resize, KeepsAPlainImagePlain) {
  const Image plain{30, 20, std::vector<std::uint8_t>(1800, 77)};
  for (const auto& [height, width] : {std::pair{7, 5}, {64, 64}, {1, 1}}) {
    const Image resized = resize(plain, height, width);
    EXPECT_TRUE(std::all_of(resized.rgb.begin(), resized.rgb.end(), [](int v) { return v == 77; }));
  }
}

TEST(Resize, HalvesWithTheTriangleFilterOfJax) {
  // jax.image.resize([0, 80, 160, 240], (2,), "linear"): weights 3, 3, 1 and their mirror.
  Image image{1, 4, {}};
  for (const int level : {0, 80, 160, 240})
    for (int channel = 0; channel < 3; ++channel)
      image.rgb.push_back(static_cast<std::uint8_t>(level));
  const Image half = resize(image, 1, 2);
  EXPECT_EQ(half.rgb[0], 57);   // (0*3 + 80*3 + 160*1) / 7
  EXPECT_EQ(half.rgb[3], 183);  // (80*1 + 160*3 + 240*3) / 7
}

Image noise(std::mt19937& random, int height, int width) {
  Image image{height, width,
              std::vector<std::uint8_t>(static_cast<std::size_t>(height * width) * 3)};
  for (std::uint8_t& level : image.rgb) level = static_cast<std::uint8_t>(random());
  return image;
}

// The definition, one output pixel at a time: triangle filter over all source cells.
double by_definition(const Image& image, int height, int width, int y, int x, int channel) {
  const auto weight = [](int cell, int output, int input, int size) {
    const double scale = static_cast<double>(input) / size;
    const double support = std::max(1.0, scale);
    return std::max(0.0, 1 - std::abs(cell + 0.5 - (output + 0.5) * scale) / support);
  };
  double sum = 0, total = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const double w = weight(row, y, image.height, height) * weight(column, x, image.width, width);
      total += w;
      sum += w * image.rgb[static_cast<std::size_t>((row * image.width + column) * 3 + channel)];
    }
  }
  return sum / total;
}

TEST(Resize, FollowsItsDefinitionForAllSizes) {
  std::mt19937 random(11);
  const auto side = [&] { return 1 + static_cast<int>(random() % 24); };
  for (int round = 0; round < 60; ++round) {
    const Image image = noise(random, side(), side());
    const int height = side(), width = side();
    const Image resized = resize(image, height, width);
    ASSERT_EQ(resized.rgb.size(), static_cast<std::size_t>(height * width) * 3);
    for (int i = 0; i < height * width * 3; ++i) {
      const double wanted =
          by_definition(image, height, width, i / 3 / width, i / 3 % width, i % 3);
      // Half a level of rounding, a little for single precision.
      ASSERT_NEAR(resized.rgb[static_cast<std::size_t>(i)], wanted, 0.501)
          << image.height << "x" << image.width << " to " << height << "x" << width;
    }
  }
}

TEST(Crop, TakesTheRectangle) {
  const Image image = ramp(5, 6);
  const Image part = crop(image, 1, 2, 3, 4);
  ASSERT_EQ(part.height, 3);
  ASSERT_EQ(part.width, 4);
  for (int y = 0; y < 3; ++y)
    for (int i = 0; i < 4 * 3; ++i)
      EXPECT_EQ(part.rgb[static_cast<std::size_t>(y * 12 + i)],
                image.rgb[static_cast<std::size_t>((y + 1) * 18 + 6 + i)]);
}

TEST(Crop, RefusesARectangleThatReachesOutside) {
  const Image image = ramp(5, 6);
  EXPECT_NO_THROW(crop(image, 0, 0, 5, 6));
  EXPECT_THROW(crop(image, 1, 0, 5, 6), cluster::Error);
  EXPECT_THROW(crop(image, 0, 1, 5, 6), cluster::Error);
  EXPECT_THROW(crop(image, -1, 0, 2, 2), cluster::Error);
  EXPECT_THROW(crop(image, 0, 0, 0, 2), cluster::Error);
}

TEST(CenterCropResize, IsSquareForEveryShape) {
  std::mt19937 random(12);
  for (const auto& [height, width] : {std::pair{1, 9}, {9, 1}, {7, 10}, {64, 63}}) {
    const Image square = center_crop_resize(noise(random, height, width), 16);
    EXPECT_EQ(square.height, 16);
    EXPECT_EQ(square.width, 16);
    EXPECT_EQ(square.rgb.size(), 16u * 16 * 3);
  }
}

TEST(FlipHorizontal, PutsTheLeftPixelRight) {
  const Image image{1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  EXPECT_EQ(flip_horizontal(image).rgb, (std::vector<std::uint8_t>{7, 8, 9, 4, 5, 6, 1, 2, 3}));
}

TEST(FlipHorizontal, TwiceIsTheImageItself) {
  const Image image = ramp(6, 7);
  EXPECT_NE(flip_horizontal(image).rgb, image.rgb);
  EXPECT_EQ(flip_horizontal(flip_horizontal(image)).rgb, image.rgb);
}

TEST(CenterCropResize, TakesTheMiddleOfTheLongSide) {
  Image image{4, 12, std::vector<std::uint8_t>(144, 0)};
  for (int row = 0; row < 4; ++row)
    for (int column = 4; column < 8; ++column)
      image.rgb[static_cast<std::size_t>(row * 12 + column) * 3] = 200;
  const Image square = center_crop_resize(image, 4);
  for (std::size_t i = 0; i < square.rgb.size(); i += 3) EXPECT_EQ(square.rgb[i], 200);
}

}  // namespace
}  // namespace marquee::datasets
