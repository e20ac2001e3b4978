#include "workers/random.h"

#include <gtest/gtest.h>

namespace marquee::workers {
namespace {

using cluster::Purpose;

TEST(RandomTensors, DependOnTheStreamAlone) {
  PhiloxStream first(3, Purpose::init, 1, 2), again(3, Purpose::init, 1, 2),
      other(3, Purpose::init, 1, 3);
  const Tensor a = gumbel_tensor(first, {5, 7});
  EXPECT_TRUE(torch::equal(a, gumbel_tensor(again, {5, 7})));
  EXPECT_FALSE(torch::equal(a, gumbel_tensor(other, {5, 7})));
}

TEST(RandomTensors, GumbelHasItsMeanAndVarianceAndIsFinite) {
  PhiloxStream stream(1, Purpose::init);
  const Tensor values = gumbel_tensor(stream, {200000});
  EXPECT_TRUE(values.isfinite().all().item<bool>());
  EXPECT_NEAR(values.mean().item<double>(), 0.5772, 0.02);
  EXPECT_NEAR(values.var().item<double>(), 1.6449, 0.04);
}

TEST(RandomTensors, TruncatedNormalStaysWithinTwoDeviations) {
  PhiloxStream stream(1, Purpose::init);
  const Tensor values = truncated_normal_tensor(stream, {100000}, 0.5F);
  EXPECT_LE(values.abs().max().item<float>(), 1.0F);
  EXPECT_NEAR(values.std().item<double>(), 0.5 * 0.8796, 0.01);
}

}  // namespace
}  // namespace marquee::workers
