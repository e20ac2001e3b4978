#include <gtest/gtest.h>

#include "analysis/metrics/frechet.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/linear_probe.h"
#include "analysis/metrics/manifold.h"
#include "analysis/metrics/memorisation.h"
#include "cluster/error.h"
#include "tests/metrics/normal_rows.h"

namespace marquee::analysis {
namespace {

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

TEST(Memorisation, IsAboutTheQuantileForFreshImagesAndOneForCopies) {
  const Tensor training = normal(50, 8, 11), real = normal(4000, 8, 12);
  const Estimate fresh = memorisation(normal(4000, 8, 13), training, real);
  EXPECT_NEAR(fresh.value, 0.05, 5 * fresh.standard_error);
  EXPECT_GT(fresh.standard_error, 0.002);
  EXPECT_EQ(memorisation(training, training, real).value, 1);
  EXPECT_EQ(memorisation(training + 0.01, training, real).value, 1);
  EXPECT_EQ(memorisation(normal(100, 8, 14) + 50, training, real).value, 0);
}

TEST(Memorisation, CountsDistancesBelowTheInterpolatedQuantile) {
  // Distances of the reference to the one training row: 1, 2, ..., 21; their 5 % quantile is 2.
  const Tensor training = torch::zeros({1, 1});
  const Tensor reference = torch::arange(1, 22, torch::kFloat32).unsqueeze(1);
  const Tensor generated = torch::tensor({{0.5}, {-1.5}, {2.0}, {7.0}});
  const Estimate estimate = memorisation(generated, training, reference);
  EXPECT_EQ(estimate.value, 0.5);
  EXPECT_NEAR(estimate.standard_error, 0.25, 1e-12);
  EXPECT_THROW(memorisation(generated, torch::zeros({0, 1}), reference), cluster::Error);
}

TEST(LinearProbe, NamesWhatALineTellsApartAndGuessesWhatItCannot) {
  constexpr int kClasses = 4;
  const Tensor labels = torch::arange(2000) % kClasses;
  const Tensor centres = normal(kClasses, 16, 21) * 3;
  const auto images = [&](std::uint64_t seed) {
    return normal(2000, 16, seed) + centres.index_select(0, labels);
  };
  const LinearProbe probe(images(22), labels, kClasses);
  EXPECT_GT(probe.accuracy(images(23), labels).value, 0.95);
  EXPECT_EQ(probe.predict(images(23)).sizes(), labels.sizes());
  const Estimate guess = probe.accuracy(images(24), (labels + 1) % kClasses);
  EXPECT_LT(guess.value, 0.05);
  const Estimate chance =
      LinearProbe(normal(2000, 16, 25), labels, kClasses).accuracy(normal(2000, 16, 26), labels);
  EXPECT_NEAR(chance.value, 1.0 / kClasses, 5 * chance.standard_error);
  // Scale and shift of a feature change nothing.
  const Tensor scale = torch::linspace(0.01, 100, 16), shift = torch::linspace(-50, 50, 16);
  const LinearProbe other(images(22) * scale + shift, labels, kClasses);
  EXPECT_TRUE(torch::equal(other.predict(images(23) * scale + shift), probe.predict(images(23))));
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
