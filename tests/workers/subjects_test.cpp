// What images are asked for: waypoints drawn from an image's own stream, and lists.
#include "workers/tuning/subjects.h"

#include <set>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

constexpr int kClasses = 6, kShots = 4;

class SubjectsTest : public testing::Test {
 protected:
  SubjectsTest() {
    run_.method = "prompt";
    run_.conditions = "both";
    run_.marquee_waypoints = 3;
    task_ = task_classes(run_, kClasses, torch::arange(kClasses * kShots) % kClasses);
  }
  Subjects subjects(std::int64_t first, std::int64_t count) const {
    return subjects_of(run_, torch::arange(first, first + count) % kClasses,
                       static_cast<std::uint64_t>(first), task_);
  }
  std::int64_t label_of_instance(const Tensor& instance) const {
    return task_.instance_labels[instance.item<std::int64_t>()].item<std::int64_t>();
  }

  experiments::RunConfig run_;
  TaskClasses task_;
};

TEST_F(SubjectsTest, AnImageDrawsATrainingImageOfItsClass) {
  const Subjects all = subjects(0, 240);
  ASSERT_EQ(all.size(), 1u);
  std::set<std::int64_t> drawn;
  for (std::int64_t i = 0; i < 240; ++i) {
    EXPECT_EQ(label_of_instance(all[0].instances[i]), i % kClasses);
    drawn.insert(all[0].instances[i].item<std::int64_t>());
  }
  EXPECT_EQ(drawn.size(), static_cast<std::size_t>(kClasses * kShots));
}

TEST_F(SubjectsTest, WithoutInstancesItIsTheClassAlone) {
  run_.sample_instances = "none";
  EXPECT_FALSE(subjects(0, 3)[0].instances.defined());
  run_.sample_instances = "drawn";
  run_.conditions = "class";
  EXPECT_FALSE(subjects(0, 3)[0].instances.defined());
}

TEST_F(SubjectsTest, WaypointsAreDifferentTrainingImagesOfTheClass) {
  run_.marquee = "instances";
  const Subjects all = subjects(0, 30);
  ASSERT_EQ(all.size(), 3u);
  for (std::int64_t i = 0; i < 30; ++i) {
    std::set<std::int64_t> different;
    for (const Identifiers& waypoint : all) {
      EXPECT_EQ(waypoint.classes[i].item<std::int64_t>(), i % kClasses);
      EXPECT_EQ(label_of_instance(waypoint.instances[i]), i % kClasses);
      different.insert(waypoint.instances[i].item<std::int64_t>());
    }
    EXPECT_EQ(different.size(), 3u);
  }
}

TEST_F(SubjectsTest, MoreWaypointsThanTrainingImagesGoRound) {
  run_.marquee = "instances";
  run_.marquee_waypoints = kShots + 1;
  const Subjects all = subjects(0, 5);
  EXPECT_TRUE(torch::equal(all.front().instances, all.back().instances));
}

TEST_F(SubjectsTest, AClassWithoutTrainingImagesHasNone) {
  task_.instance_labels = torch::zeros({3}, torch::kInt64);
  const Subjects all = subjects(0, 2);
  EXPECT_GE(all[0].instances[0].item<std::int64_t>(), 0);
  EXPECT_EQ(all[0].instances[1].item<std::int64_t>(), -1);
}

TEST_F(SubjectsTest, ClassesEndInTheImagesOwn) {
  run_.marquee = "classes";
  const Subjects all = subjects(0, 30);
  EXPECT_TRUE(torch::equal(labels_of(all), torch::arange(30) % kClasses));
  for (std::int64_t i = 0; i < 30; ++i) {
    std::set<std::int64_t> different;
    for (const Identifiers& waypoint : all) {
      different.insert(waypoint.classes[i].item<std::int64_t>());
      EXPECT_EQ(label_of_instance(waypoint.instances[i]), waypoint.classes[i].item<std::int64_t>());
    }
    EXPECT_EQ(different.size(), 3u);
  }
  task_.classes = 1;
  EXPECT_EQ(subjects_of(run_, torch::zeros({2}, torch::kInt64), 0, task_).size(), 3u);
}

TEST_F(SubjectsTest, DependOnTheImageAndNotOnItsBatch) {
  for (const char* marquee : {"none", "instances", "classes"}) {
    run_.marquee = marquee;
    const Subjects all = subjects(0, 20);
    for (const std::int64_t index : {0, 7, 19}) {
      const Subjects one = subjects(index, 1);
      ASSERT_EQ(one.size(), all.size());
      for (std::size_t w = 0; w < all.size(); ++w) {
        EXPECT_TRUE(torch::equal(one[w].classes, all[w].classes.narrow(0, index, 1)));
        EXPECT_TRUE(torch::equal(one[w].instances, all[w].instances.narrow(0, index, 1)));
      }
    }
    const Subjects before = subjects(0, 20);
    run_.seed += 1;
    EXPECT_FALSE(torch::equal(before[0].instances, subjects(0, 20)[0].instances)) << marquee;
  }
}

TEST_F(SubjectsTest, AListIsTheSameForEveryImage) {
  run_.marquee = "instances:8,1";
  const Subjects all = subjects(0, 3);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(torch::equal(all[0].instances, torch::tensor({8, 8, 8})));
  EXPECT_TRUE(torch::equal(all[0].classes, torch::tensor({2, 2, 2})));
  EXPECT_TRUE(torch::equal(labels_of(all), torch::tensor({1, 1, 1})));
  run_.marquee = "classes:5,0";
  EXPECT_TRUE(torch::equal(labels_of(subjects(0, 2)), torch::tensor({0, 0})));
}

TEST_F(SubjectsTest, RefusesWhatTheTaskDoesNotHave) {
  for (const char* marquee : {"classes:0,6", "instances:0,24"}) {
    run_.marquee = marquee;
    EXPECT_THROW(subjects(0, 2), cluster::Error) << marquee;
  }
}

}  // namespace
}  // namespace marquee::workers
