#include "analysis/metrics/manifold.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "analysis/metrics/neighbours.h"

namespace marquee::analysis {
namespace {

struct Options {
  int k_pr, k_dc;
  bool strict_pr, strict_dc;
};

ManifoldMetrics compute(const Tensor& generated, const Tensor& reference, const Options& options) {
  check_pair(generated, reference, std::max(options.k_pr, options.k_dc) + 1);
  const Tensor centre = common_centre(generated, reference);
  const bool narrow =
      generated.scalar_type() == torch::kFloat32 && reference.scalar_type() == torch::kFloat32;
  const auto points = [&](const Tensor& features) {
    return PointSet(narrow ? features : features.to(torch::kFloat64), centre);
  };
  const PointSet made = points(generated), real = points(reference);
  const Tensor around_real = nearest_within(real, std::max(options.k_pr, options.k_dc));
  const Tensor around_made = nearest_within(made, options.k_pr);
  const auto radii = [](const Tensor& distances, int k) {
    return distances.select(1, k - 1).contiguous();
  };

  enum : unsigned { kPrecise = 1, kRecalled = 2, kDense = 4 };
  const std::vector<Balls> balls{
      {radii(around_real, options.k_pr), /*around_rows=*/false, options.strict_pr},
      {radii(around_made, options.k_pr), /*around_rows=*/true, options.strict_pr},
      {radii(around_real, options.k_dc), /*around_rows=*/false, options.strict_dc}};
  const auto n = static_cast<std::size_t>(made.size()), m = static_cast<std::size_t>(real.size());
  std::vector<std::uint8_t> precise(n);
  std::vector<std::int64_t> counts(n);
  std::vector<std::atomic<std::uint8_t>> recalled(m), covered(m);
  pairs_inside(made, real, balls, [&](std::int64_t row, std::int64_t column, unsigned mask) {
    const auto i = static_cast<std::size_t>(row), j = static_cast<std::size_t>(column);
    if ((mask & kPrecise) != 0) precise[i] = 1;
    if ((mask & kRecalled) != 0) recalled[j].store(1, std::memory_order_relaxed);
    if ((mask & kDense) == 0) return;
    ++counts[i];
    covered[j].store(1, std::memory_order_relaxed);
  });
  const Tensor density =
      torch::tensor(counts, torch::kInt64).to(torch::kFloat64) / static_cast<double>(options.k_dc);
  const Estimate density_estimate{density.mean().item<double>(),
                                  density.std().item<double>() / std::sqrt(static_cast<double>(n))};
  const auto share = [](const auto& hits) {
    return share_of(torch::tensor(std::vector<std::uint8_t>(hits.begin(), hits.end())));
  };
  return {{share(precise), share(recalled)}, {density_estimate, share(covered)}};
}

}  // namespace

Tensor ball_radii(const Tensor& features, const std::vector<int>& ks) {
  const int most = *std::max_element(ks.begin(), ks.end());
  check_features(features, "given", most + 1);
  const PointSet points(features, common_centre(features, features));
  const Tensor distances = nearest_within(points, most);
  std::vector<Tensor> columns;
  for (const int k : ks) columns.push_back(distances.select(1, k - 1));
  return at::stack(columns, 1);
}

Tensor realism_scores(const Tensor& generated, const Tensor& reference, int k) {
  constexpr std::int64_t kRows = 256;
  constexpr std::int64_t kDirectDifferences = 2;  // cdist without the matrix product form
  check_pair(generated, reference, 1);
  const Tensor radii = ball_radii(reference, {k}).select(1, 0);
  // numpy.median: the mean of the middle two of an even number.
  const Tensor small = (radii < at::quantile(radii, 0.5)).nonzero().flatten();
  const Tensor balls = reference.to(torch::kFloat64).index_select(0, small);
  std::vector<Tensor> scores;
  for (std::int64_t first = 0; first < generated.size(0); first += kRows) {
    const Tensor block = generated.narrow(0, first, std::min(kRows, generated.size(0) - first));
    scores.push_back((radii.index_select(0, small) /
                      at::cdist(block.to(torch::kFloat64), balls, 2.0, kDirectDifferences))
                         .amax(1));
  }
  return at::cat(scores);
}

double f_score(double precision, double recall) {
  constexpr double kLeast = 1e-5;
  return 2 * precision * recall / std::max(kLeast, precision + recall);
}

Estimate share_of(const Tensor& hits) {
  const auto count = static_cast<double>(hits.numel());
  const double value = hits.to(torch::kFloat64).sum().item<double>() / count;
  return {value, std::sqrt(value * (1 - value) / count)};
}

PrecisionRecall precision_recall(const Tensor& generated, const Tensor& reference, int k,
                                 bool strict) {
  return compute(generated, reference, {k, k, strict, true}).precision_recall;
}
DensityCoverage density_coverage(const Tensor& generated, const Tensor& reference, int k,
                                 bool strict) {
  return compute(generated, reference, {k, k, false, strict}).density_coverage;
}
ManifoldMetrics manifold_metrics(const Tensor& generated, const Tensor& reference, int k_pr,
                                 int k_dc) {
  return compute(generated, reference, {k_pr, k_dc, false, true});
}

}  // namespace marquee::analysis
