#include "analysis/metrics/memorisation.h"

#include <algorithm>
#include <vector>

#include "analysis/metrics/manifold.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr double kQuantile = 0.05;
constexpr std::int64_t kBlockRows = 256;
constexpr std::int64_t kDirectDifferences = 2;  // cdist without the matrix product form

// Distance of each row of `rows` to the nearest of `set`, float64 [n].
Tensor nearest(const Tensor& rows, const Tensor& set) {
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows.size(0); first += kBlockRows) {
    const Tensor block = rows.narrow(0, first, std::min(kBlockRows, rows.size(0) - first));
    parts.push_back(at::cdist(block, set, 2.0, kDirectDifferences).amin(1));
  }
  return at::cat(parts);
}

}  // namespace

Estimate memorisation(const Tensor& generated, const Tensor& training, const Tensor& reference) {
  for (const Tensor& set : {generated, training, reference})
    MARQUEE_CHECK(set.dim() == 2 && set.size(0) > 0 && set.size(1) == generated.size(1),
                  "feature sets must be [n, d] of one width, and not empty");
  const Tensor known = training.to(torch::kFloat64);
  const Tensor real = nearest(reference.to(torch::kFloat64), known);
  const Tensor made = nearest(generated.to(torch::kFloat64), known);
  const double limit = at::quantile(real, kQuantile).item<double>();
  return share_of(made < limit);
}

}  // namespace marquee::analysis
