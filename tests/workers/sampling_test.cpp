// An image alone is the image among others, bit for bit, for both families.
#include "workers/runs/sampling.h"

#include <functional>

#include <gtest/gtest.h>

#include "datasets/task.h"
#include "tests/workers/tiny_base.h"

namespace marquee::workers {
namespace {

class Sampling : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = masked() ? tiny_base() : tiny_autoregressive_base();
    // Freshly initialised ones hardly look at the class.
    base_.transformer.weights =
        random_weights(transformer_shapes(base_.transformer.config), 3, 0.3F);
  }
  static bool masked() { return std::string(GetParam()) == "masked"; }
  // Two training images of each class.
  static TaskClasses task_of(const experiments::RunConfig& run) {
    const int classes = datasets::find_task(run.task).num_classes;
    return task_classes(run, classes, torch::arange(2 * classes) % classes);
  }
  BaseModel base_;
};

class MarqueeSampling : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_.transformer.weights =
        random_weights(transformer_shapes(base_.transformer.config), 3, 0.3F);
  }
  BaseModel base_ = tiny_base();
};

// Ways in which a run may ask for images, beside what tiny_run says.
struct Way {
  const char* name;
  std::function<void(experiments::RunConfig&)> set;
};

std::vector<Way> ways(bool masked) {
  std::vector<Way> all{{"none", [](auto& run) { run.method = "none"; }},
                       {"class", [](auto&) {}},
                       {"linear_class", [](auto& run) { run.method = "linear_class"; }},
                       {"lora", [](auto& run) { run.method = "lora"; }},
                       {"both, factorised",
                        [](auto& run) {
                          run.conditions = "both";
                          run.prompt_kind = "factorised";
                          run.factors = 2;
                        }},
                       {"instance, free", [](auto& run) {
                          run.conditions = "instance";
                          run.prompt_kind = "free";
                        }}};
  if (!masked) return all;
  for (const char* marquee : {"instances", "classes", "instances:3,0,5", "classes:1,4"}) {
    for (const char* space : {"token", "embedding"}) {
      all.push_back({marquee, [=](auto& run) {
                       run.conditions = "both";
                       run.marquee = marquee;
                       run.marquee_space = space;
                       run.marquee_waypoints = 3;
                     }});
    }
  }
  return all;
}

TEST_P(Sampling, AnImageAloneHasTheBitsItHasAmongOthers) {
  for (const Way& way : ways(masked())) {
    experiments::RunConfig run = tiny_run(base_);
    way.set(run);
    run.samples = 21;  // the last batch is not full
    const TaskClasses task = task_of(run);
    const auto adapter = make_adapter(run, base_, task.classes, task.instances());
    const Samples all =
        generate(run, base_.tokenizer, *adapter, task, nullptr, {}, 0, [](auto, auto) {});
    ASSERT_EQ(all.tokens.size(0), run.samples);
    for (std::int64_t index = 0; index < run.samples; ++index) {
      const Subjects subjects = subjects_of_image(run, index, task);
      EXPECT_TRUE(torch::equal(labels_of(subjects), all.labels.narrow(0, index, 1)));
      const Tensor alone = sample_image_tokens(run, *adapter, subjects, index);
      EXPECT_TRUE(torch::equal(alone, all.tokens.narrow(0, index, 1))) << way.name << " " << index;
    }
  }
}

TEST_P(Sampling, ImagesDifferBySeedIndexAndLabel) {
  experiments::RunConfig run = tiny_run(base_, "none");
  const auto adapter = make_adapter(run, base_, 4);
  const auto image = [&](std::int64_t label, std::int64_t index) {
    return sample_image_tokens(run, *adapter, {torch::tensor({label})}, index);
  };
  const Tensor one = image(0, 3);
  EXPECT_FALSE(torch::equal(one, image(0, 4)));
  EXPECT_FALSE(torch::equal(one, image(1, 3)));
  run.seed += 1;
  EXPECT_FALSE(torch::equal(one, image(0, 3)));
}

TEST_P(Sampling, ImagesDifferByTrainingImage) {
  experiments::RunConfig run = tiny_run(base_);
  run.conditions = "both";
  const TaskClasses task = task_of(run);
  const auto adapter = make_adapter(run, base_, task.classes, task.instances());
  // As drawn at first the terms are too small to move a token.
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : adapter->trained()) leaf.mul_(30);
  const auto image = [&](std::int64_t instance) {
    return sample_image_tokens(run, *adapter, {{torch::tensor({1}), torch::tensor({instance})}}, 3);
  };
  EXPECT_FALSE(torch::equal(image(0), image(5)));
  EXPECT_FALSE(torch::equal(image(0), image(-1)));
}

TEST_P(Sampling, FramesEndInTheImage) {
  const experiments::RunConfig run = tiny_run(base_);
  const TaskClasses task = task_of(run);
  const auto adapter = make_adapter(run, base_, task.classes);
  std::vector<DecodeFrame> frames;
  const Tensor tokens =
      sample_image_tokens(run, *adapter, subjects_of_image(run, 4, task), 4,
                          [&](const DecodeFrame& frame) { frames.push_back(frame); });
  ASSERT_EQ(std::ssize(frames), frames.front().steps);
  EXPECT_TRUE(torch::equal(frames.back().tokens, tokens));
  std::int64_t settled = 0;
  for (const DecodeFrame& frame : frames) {
    const auto now = frame.settled.sum().item<std::int64_t>();
    EXPECT_GE(now, settled);
    settled = now;
    // What is settled stays.
    EXPECT_TRUE(torch::equal(frame.tokens.masked_select(frame.settled),
                             tokens.masked_select(frame.settled)));
  }
}

TEST_F(MarqueeSampling, MovesFromTheFirstWaypointToTheLast) {
  // A header whose waypoints are all the same is ordinary decoding, bit for bit.
  experiments::RunConfig still = tiny_run(base_), moving = still;
  const TaskClasses task{16, {}};
  moving.marquee = "classes:3,3,3";
  const auto adapter = make_adapter(still, base_, 16);
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : adapter->trained()) leaf.mul_(30);
  const Subjects of_class{torch::tensor({3})};
  const auto image = [&](const experiments::RunConfig& run, const Subjects& subjects) {
    return sample_image_tokens(run, *adapter, subjects, 2);
  };
  const Tensor expected = image(still, of_class);
  EXPECT_TRUE(torch::equal(expected, image(moving, subjects_of_image(moving, 2, task))));
  moving.marquee = "classes:3,9";
  EXPECT_FALSE(torch::equal(expected, image(moving, subjects_of_image(moving, 2, task))));
  // One step sees the first waypoint alone.
  still.decode_steps = moving.decode_steps = 1;
  EXPECT_TRUE(
      torch::equal(image(still, of_class), image(moving, subjects_of_image(moving, 2, task))));
}

INSTANTIATE_TEST_SUITE_P(Families, Sampling, testing::Values("masked", "autoregressive"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace marquee::workers
