// Sizes, classes and cuts of the 19 tasks at the sizes that the real sets have.
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "datasets/task.h"

namespace marquee::datasets {
namespace {

struct Wanted {
  const char* task;
  TaskGroup group;
  int classes;
  std::map<std::string, std::int64_t> stored;  // rows of TFDS's splits
  std::int64_t train, val, test;
};

std::int64_t rows(const std::vector<Slice>& slices,
                  const std::map<std::string, std::int64_t>& stored) {
  std::int64_t total = 0;
  for (const Slice& slice : slices) {
    const auto [from, to] = slice.rows_of(stored.at(slice.split));
    total += to - from;
  }
  return total;
}

class VtabTask : public testing::TestWithParam<Wanted> {};

TEST_P(VtabTask, HasThePublishedSizesGroupAndClasses) {
  const Wanted& wanted = GetParam();
  const TaskInfo& task = find_task(wanted.task);
  EXPECT_EQ(task.group, wanted.group);
  EXPECT_EQ(task.num_classes, wanted.classes);
  EXPECT_EQ(rows(task.train, wanted.stored), wanted.train);
  EXPECT_EQ(rows(task.val, wanted.stored), wanted.val);
  EXPECT_EQ(rows(task.test, wanted.stored), wanted.test);
}

TEST_P(VtabTask, SplitsDoNotOverlap) {
  const Wanted& wanted = GetParam();
  const TaskInfo& task = find_task(wanted.task);
  std::map<std::string, std::vector<bool>> used;
  for (const auto& [split, size] : wanted.stored)
    used[split].resize(static_cast<std::size_t>(size));
  for (const auto* slices : {&task.train, &task.val, &task.test}) {
    for (const Slice& slice : *slices) {
      const auto [from, to] = slice.rows_of(wanted.stored.at(slice.split));
      for (std::int64_t row = from; row < to; ++row) {
        ASSERT_FALSE(used[slice.split][static_cast<std::size_t>(row)]) << slice.split << " " << row;
        used[slice.split][static_cast<std::size_t>(row)] = true;
      }
    }
  }
}

constexpr auto kNatural = TaskGroup::natural;
constexpr auto kSpecialized = TaskGroup::specialized;
constexpr auto kStructured = TaskGroup::structured;

const std::map<std::string, std::int64_t> kClevr{{"train", 70000}, {"validation", 15000}};
const std::map<std::string, std::int64_t> kDsprites{{"train", 737280}};
const std::map<std::string, std::int64_t> kNorb{{"train", 24300}, {"test", 24300}};

INSTANTIATE_TEST_SUITE_P(
    Vtab, VtabTask,
    testing::Values(
        Wanted{"caltech101", kNatural, 102, {{"train", 3060}, {"test", 6084}}, 2754, 306, 6084},
        Wanted{"cifar100", kNatural, 100, {{"train", 50000}, {"test", 10000}}, 45000, 5000, 10000},
        Wanted{"dtd",
               kNatural,
               47,
               {{"train", 1880}, {"validation", 1880}, {"test", 1880}},
               1880,
               1880,
               1880},
        Wanted{"oxford_flowers102",
               kNatural,
               102,
               {{"train", 1020}, {"validation", 1020}, {"test", 6149}},
               1020,
               1020,
               6149},
        Wanted{"oxford_iiit_pet", kNatural, 37, {{"train", 3680}, {"test", 3669}}, 2944, 736, 3669},
        Wanted{"svhn",
               kNatural,
               10,
               {{"train", 73257}, {"test", 26032}, {"extra", 531131}},
               65931,
               7326,
               26032},
        Wanted{"sun397",
               kNatural,
               397,
               {{"train", 76128}, {"validation", 10875}, {"test", 21750}},
               76128,
               10875,
               21750},
        Wanted{"patch_camelyon",
               kSpecialized,
               2,
               {{"train", 262144}, {"validation", 32768}, {"test", 32768}},
               262144,
               32768,
               32768},
        Wanted{"eurosat", kSpecialized, 10, {{"train", 27000}}, 16200, 5400, 5400},
        Wanted{"resisc45", kSpecialized, 45, {{"train", 31500}}, 18900, 6300, 6300},
        Wanted{"diabetic_retinopathy",
               kSpecialized,
               5,
               {{"train", 35126}, {"validation", 10906}, {"test", 42670}},
               35126,
               10906,
               42670},
        Wanted{"clevr_count", kStructured, 8, kClevr, 63000, 7000, 15000},
        Wanted{"clevr_distance", kStructured, 6, kClevr, 63000, 7000, 15000},
        Wanted{"dmlab",
               kStructured,
               6,
               {{"train", 65550}, {"validation", 22628}, {"test", 22735}},
               65550,
               22628,
               22735},
        Wanted{"kitti_closest_vehicle_distance",
               kStructured,
               4,
               {{"train", 6347}, {"validation", 423}, {"test", 711}},
               6347,
               423,
               711},
        Wanted{"dsprites_location", kStructured, 16, kDsprites, 589824, 73728, 73728},
        Wanted{"dsprites_orientation", kStructured, 16, kDsprites, 589824, 73728, 73728},
        Wanted{"smallnorb_azimuth", kStructured, 18, kNorb, 24300, 12150, 12150},
        Wanted{"smallnorb_elevation", kStructured, 9, kNorb, 24300, 12150, 12150}),
    [](const auto& tested) { return std::string(tested.param.task); });

TEST(Slice, OfSmallnorbStartsItsTestInTheMiddleOfTfdsTest) {
  const TaskInfo& task = find_task("smallnorb_azimuth");
  EXPECT_EQ(task.val.at(0).rows_of(24300), (std::pair<std::int64_t, std::int64_t>{0, 12150}));
  EXPECT_EQ(task.test.at(0).rows_of(24300), (std::pair<std::int64_t, std::int64_t>{12150, 24300}));
}

TEST(Slice, HalvesGoToTheEvenNumberAsInTfds) {
  const Slice half{"test", {}, 50, -1, true};
  EXPECT_EQ(half.rows_of(5).second, 2);
  EXPECT_EQ(half.rows_of(7).second, 4);
}

TEST(Slice, WithACountEndsWhereTheStoredSplitEnds) {
  const Slice head{"train", {60}, -1, 200};
  EXPECT_EQ(head.rows_of(27000), (std::pair<std::int64_t, std::int64_t>{16200, 16400}));
  EXPECT_EQ(head.rows_of(60), (std::pair<std::int64_t, std::int64_t>{36, 60}));
}

}  // namespace
}  // namespace marquee::datasets
