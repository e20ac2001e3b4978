#include "analysis/metrics/manifold.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr std::int64_t kBlockRows = 256;
constexpr std::int64_t kDirectDifferences = 2;  // cdist without the matrix product form

Tensor distances(const Tensor& a, const Tensor& b) {
  return at::cdist(a, b, 2.0, kDirectDifferences);
}

// Distance of each row to its k-th neighbour for each k asked for: float64 [ks, n].
std::vector<Tensor> radii(const Tensor& set, const std::vector<int>& ks) {
  const int most = *std::max_element(ks.begin(), ks.end());
  std::vector<std::vector<Tensor>> parts(ks.size());
  for (std::int64_t first = 0; first < set.size(0); first += kBlockRows) {
    const Tensor block = set.narrow(0, first, std::min(kBlockRows, set.size(0) - first));
    // The nearest is the row itself, at distance zero.
    const Tensor nearest =
        std::get<0>(distances(block, set).topk(most + 1, 1, /*largest=*/false, /*sorted=*/true));
    for (std::size_t i = 0; i < ks.size(); ++i) parts[i].push_back(nearest.select(1, ks[i]));
  }
  std::vector<Tensor> result;
  for (const auto& part : parts) result.push_back(at::cat(part));
  return result;
}

struct Options {
  int k_pr, k_dc;
  bool strict_pr, strict_dc;
};

ManifoldMetrics compute(const Tensor& generated, const Tensor& reference, const Options& options) {
  MARQUEE_CHECK(
      generated.dim() == 2 && reference.dim() == 2 && generated.size(1) == reference.size(1),
      "feature sets must be [n, d] of one width");
  const int most = std::max(options.k_pr, options.k_dc);
  if (std::min(generated.size(0), reference.size(0)) <= most) {
    cluster::throw_usage(
        "precision, recall, density and coverage with k = " + std::to_string(most) +
        " need more than " + std::to_string(most) + " images on each side, not " +
        std::to_string(generated.size(0)) + " and " + std::to_string(reference.size(0)));
  }
  const Tensor g = generated.to(torch::kFloat64).contiguous(),
               r = reference.to(torch::kFloat64).contiguous();
  const std::vector<Tensor> real = radii(r, {options.k_pr, options.k_dc});
  const Tensor made = radii(g, {options.k_pr})[0];
  const auto inside = [](const Tensor& distance, const Tensor& radius, bool strict) {
    return strict ? distance < radius : distance <= radius;
  };

  std::vector<Tensor> precise, counts;
  Tensor recalled = torch::zeros({r.size(0)}, torch::kBool),
         covered = torch::zeros({r.size(0)}, torch::kBool);
  for (std::int64_t first = 0; first < g.size(0); first += kBlockRows) {
    const std::int64_t rows = std::min(kBlockRows, g.size(0) - first);
    const Tensor block = distances(g.narrow(0, first, rows), r);
    precise.push_back(inside(block, real[0].unsqueeze(0), options.strict_pr).any(1));
    recalled.logical_or_(
        inside(block, made.narrow(0, first, rows).unsqueeze(1), options.strict_pr).any(0));
    const Tensor in_real = inside(block, real[1].unsqueeze(0), options.strict_dc);
    counts.push_back(in_real.sum(1).to(torch::kFloat64));
    covered.logical_or_(in_real.any(0));
  }
  const Tensor density = at::cat(counts) / static_cast<double>(options.k_dc);
  const Estimate density_estimate{
      density.mean().item<double>(),
      density.std().item<double>() / std::sqrt(static_cast<double>(g.size(0)))};
  return {{share_of(at::cat(precise)), share_of(recalled)}, {density_estimate, share_of(covered)}};
}

}  // namespace

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
