#include "analysis/metrics/frechet.h"

#include <cmath>

#include "cluster/error.h"
#include "cluster/philox.h"

namespace marquee::analysis {
namespace {

// A Gaussian by its mean and a factor R with R^T R = covariance.
struct Gaussian {
  Tensor mean;    // float64 [d]
  Tensor factor;  // float64 [min(n, d), d]
};

Gaussian gaussian_of(const Tensor& features, int ddof) {
  MARQUEE_CHECK(features.dim() == 2 && features.size(0) >= 2,
                "features must be [n, d] with n of 2 or more");
  const Tensor wide = features.to(torch::kFloat64);
  const Tensor mean = wide.mean(0);
  const Tensor centred = (wide - mean) / std::sqrt(static_cast<double>(features.size(0) - ddof));
  return {mean, std::get<1>(at::linalg_qr(centred, "r"))};
}

double distance(const Gaussian& a, const Gaussian& b) {
  const double means = (a.mean - b.mean).square().sum().item<double>();
  const double traces =
      a.factor.square().sum().item<double>() + b.factor.square().sum().item<double>();
  return means + traces -
         2.0 * at::linalg_svdvals(a.factor.matmul(b.factor.t())).sum().item<double>();
}

}  // namespace

double frechet_distance(const Tensor& generated, const Tensor& reference, int ddof) {
  MARQUEE_CHECK(generated.size(1) == reference.size(1), "feature sets must have one width");
  return distance(gaussian_of(generated, ddof), gaussian_of(reference, ddof));
}

Estimate frechet_estimate(const Tensor& generated, const Tensor& reference, std::uint64_t seed,
                          int resamples) {
  MARQUEE_CHECK(resamples >= 2, "a bootstrap needs 2 resamples or more");
  const Gaussian real = gaussian_of(reference, 1);
  Estimate estimate{distance(gaussian_of(generated, 1), real), 0};
  Tensor values = torch::empty({resamples}, torch::kFloat64);
  const auto rows = static_cast<std::uint64_t>(generated.size(0));
  for (int resample = 0; resample < resamples; ++resample) {
    cluster::PhiloxStream stream(seed, cluster::Purpose::bootstrap, 0,
                                 static_cast<std::uint64_t>(resample));
    Tensor index = torch::empty({generated.size(0)}, torch::kInt64);
    for (std::int64_t i = 0; i < index.numel(); ++i)
      index[i] = static_cast<std::int64_t>(stream.below(rows));
    values[resample] = distance(gaussian_of(generated.index_select(0, index), 1), real);
  }
  estimate.standard_error = values.std().item<double>();
  return estimate;
}

}  // namespace marquee::analysis
