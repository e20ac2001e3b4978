// An image alone is the image among others, bit for bit, for both families.
#include "workers/runs/sampling.h"

#include <gtest/gtest.h>

#include "datasets/task.h"
#include "tests/workers/tiny_base.h"

namespace marquee::workers {
namespace {

class Sampling : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = std::string(GetParam()) == "masked" ? tiny_base() : tiny_autoregressive_base();
    // Freshly initialised ones hardly look at the class.
    base_.transformer.weights =
        random_weights(transformer_shapes(base_.transformer.config), 3, 0.3F);
  }
  BaseModel base_;
};

TEST_P(Sampling, AnImageAloneHasTheBitsItHasAmongOthers) {
  for (const char* method : {"prompt", "none"}) {
    experiments::RunConfig run = tiny_run(base_, method);
    run.samples = 21;  // the last batch is not full
    const int classes = datasets::find_task(run.task).num_classes;
    const auto adapter = make_adapter(run, base_, classes);
    const Samples all = generate(run, base_, *adapter, classes, 0, [](auto, auto) {});
    ASSERT_EQ(all.tokens.size(0), run.samples);
    for (std::int64_t index = 0; index < run.samples; ++index) {
      const Tensor alone =
          sample_image_tokens(run, *adapter, all.labels[index].item<std::int64_t>(), index);
      EXPECT_TRUE(torch::equal(alone, all.tokens.narrow(0, index, 1))) << method << " " << index;
    }
  }
}

TEST_P(Sampling, ImagesDifferBySeedIndexAndLabel) {
  experiments::RunConfig run = tiny_run(base_, "none");
  const auto adapter = make_adapter(run, base_, 4);
  const Tensor one = sample_image_tokens(run, *adapter, 0, 3);
  EXPECT_FALSE(torch::equal(one, sample_image_tokens(run, *adapter, 0, 4)));
  EXPECT_FALSE(torch::equal(one, sample_image_tokens(run, *adapter, 1, 3)));
  run.seed += 1;
  EXPECT_FALSE(torch::equal(one, sample_image_tokens(run, *adapter, 0, 3)));
}

INSTANTIATE_TEST_SUITE_P(Families, Sampling, testing::Values("masked", "autoregressive"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace marquee::workers
