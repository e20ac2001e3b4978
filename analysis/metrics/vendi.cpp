#include "analysis/metrics/vendi.h"

#include <cmath>

#include "analysis/metrics/bootstrap.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

// Rows of length 1.
Tensor directions(const Tensor& features) {
  check_features(features, "generated", 1);
  const Tensor wide = features.to(torch::kFloat64);
  const Tensor lengths = at::linalg_vector_norm(wide, 2, 1, /*keepdim=*/true);
  if ((lengths == 0).any().item<bool>())
    cluster::throw_environment("the Vendi score needs features that are not all zero");
  return wide / lengths;
}

double vendi_score_of(const Tensor& rows) {
  const Tensor gram = rows.size(0) <= rows.size(1) ? rows.matmul(rows.t()) : rows.t().matmul(rows);
  const Tensor values = at::linalg_eigvalsh(gram / static_cast<double>(rows.size(0))).clamp_min(0);
  return std::exp(-at::special_xlogy(values, values).sum().item<double>());
}

}  // namespace

double vendi_score(const Tensor& features) {
  return vendi_score_of(directions(features));
}

Estimate vendi_estimate(const Tensor& features, std::uint64_t seed, int resamples) {
  const Tensor rows = directions(features);
  return {vendi_score_of(rows),
          bootstrap_error(rows.size(0), seed, resamples, [&](const Tensor& drawn) {
            return vendi_score_of(rows.index_select(0, drawn));
          })};
}

}  // namespace marquee::analysis
