#include <gtest/gtest.h>

#include "analysis/metrics/frechet.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/manifold.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

Tensor normal(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({n, d});
}

TEST(Frechet, MatchesTheClosedFormInOneDimension) {
  const Tensor a = torch::tensor({{0.0}, {2.0}}), b = torch::tensor({{10.0}, {14.0}});
  // Means 1 and 12, standard deviations sqrt(2) and sqrt(8): 121 + (sqrt(8) - sqrt(2))^2.
  EXPECT_NEAR(frechet_distance(a, b), 121.0 + 2.0, 1e-12);
}

TEST(Frechet, IsZeroForEqualSetsAndGrowsWithAShift) {
  const Tensor a = normal(300, 16, 1);
  EXPECT_NEAR(frechet_distance(a, a), 0, 1e-10);
  EXPECT_NEAR(frechet_distance(a + 1.0, a), 16, 1e-4);
}

TEST(Frechet, BootstrapErrorShrinksWithMoreSamples) {
  const Tensor real = normal(2000, 4, 2);
  const double few = frechet_estimate(normal(50, 4, 3) + 1.0, real, 0).standard_error;
  const double many = frechet_estimate(normal(2000, 4, 4) + 1.0, real, 0).standard_error;
  EXPECT_GT(few, 3 * many);
  EXPECT_GT(many, 0);
}

TEST(Kernel, JackknifeErrorCoversTheSpreadOverFreshSets) {
  const Tensor real = normal(400, 8, 5);
  Tensor values = torch::empty({30}, torch::kFloat64);
  double mean_error = 0;
  for (int i = 0; i < 30; ++i) {
    const Estimate estimate =
        kernel_estimate(normal(100, 8, 100 + static_cast<std::uint64_t>(i)) + 0.5, real);
    values[i] = estimate.value;
    mean_error += estimate.standard_error / 30;
  }
  const double spread = values.std().item<double>();
  EXPECT_GT(mean_error, 0.5 * spread);
  EXPECT_LT(mean_error, 2.0 * spread);
}

TEST(Manifold, EqualSetsArePreciseRecalledAndCovered) {
  const Tensor a = normal(100, 8, 6);
  const ManifoldMetrics metrics = manifold_metrics(a, a);
  EXPECT_EQ(metrics.precision_recall.precision.value, 1);
  EXPECT_EQ(metrics.precision_recall.recall.value, 1);
  EXPECT_EQ(metrics.density_coverage.coverage.value, 1);
}

TEST(Manifold, DistantSetsScoreZeroAndASubsetKeepsPrecisionButLosesRecall) {
  const Tensor real = normal(300, 4, 7);
  EXPECT_EQ(precision_recall(real + 100.0, real).precision.value, 0);
  const PrecisionRecall subset = precision_recall(real.narrow(0, 0, 20), real);
  EXPECT_EQ(subset.precision.value, 1);
  EXPECT_LT(subset.recall.value, 0.9);
}

TEST(Manifold, RefusesSetsWithTooFewRows) {
  EXPECT_THROW(precision_recall(normal(3, 4, 8), normal(10, 4, 9), 3), cluster::Error);
}

TEST(Manifold, DoesNotDependOnTheNumberOfThreads) {
  const Tensor a = normal(700, 16, 10), b = normal(900, 16, 11);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const ManifoldMetrics one = manifold_metrics(a, b);
  at::set_num_threads(2);
  const ManifoldMetrics two = manifold_metrics(a, b);
  at::set_num_threads(before);
  EXPECT_EQ(one.precision_recall.precision.value, two.precision_recall.precision.value);
  EXPECT_EQ(one.precision_recall.recall.value, two.precision_recall.recall.value);
  EXPECT_EQ(one.density_coverage.density.value, two.density_coverage.density.value);
  EXPECT_EQ(one.density_coverage.coverage.value, two.density_coverage.coverage.value);
}

}  // namespace
}  // namespace marquee::analysis
