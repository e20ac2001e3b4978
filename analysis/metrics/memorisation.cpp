#include "analysis/metrics/memorisation.h"

#include "analysis/metrics/manifold.h"
#include "analysis/metrics/neighbours.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr double kQuantile = 0.05;

}  // namespace

Estimate memorisation(const Tensor& generated, const Tensor& training, const Tensor& reference) {
  check_features(training, "training", 1);
  check_pair(generated, reference, 1);
  MARQUEE_CHECK(training.size(1) == generated.size(1), "feature sets must be of one width");
  const Tensor centre = common_centre(training, reference);
  const auto points = [&](const Tensor& features) {
    return PointSet(features.to(torch::kFloat64), centre);
  };
  const PointSet known = points(training);
  const auto nearest = [&](const Tensor& features) {
    return nearest_distances(points(features), known, 1).select(1, 0);
  };
  const double limit = at::quantile(nearest(reference), kQuantile).item<double>();
  return share_of(nearest(generated) < limit);
}

}  // namespace marquee::analysis
