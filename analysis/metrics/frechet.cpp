#include "analysis/metrics/frechet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "analysis/metrics/bootstrap.h"
#include "cluster/error.h"
#include "experiments/protocols.h"

namespace marquee::analysis {
namespace {

// A Gaussian by its mean and a factor R with R^T R = covariance.
struct Gaussian {
  Tensor mean;    // float64 [d]
  Tensor factor;  // float64 [min(n, d), d]
};

Gaussian gaussian_of(const Tensor& features, int ddof) {
  const Tensor wide = features.to(torch::kFloat64);
  const Tensor mean = wide.mean(0);
  const Tensor centred = (wide - mean) / std::sqrt(static_cast<double>(features.size(0) - ddof));
  return {mean, std::get<1>(at::linalg_qr(centred, "r"))};
}

// |mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 * root; rounding may leave it a little below zero.
double assembled(const Tensor& mean_a, const Tensor& mean_b, double traces, double root) {
  return std::max(0.0, (mean_a - mean_b).square().sum().item<double>() + traces - 2.0 * root);
}

double trace_root(const Tensor& factor_a, const Tensor& factor_b) {
  return at::linalg_svdvals(factor_a.matmul(factor_b.t())).sum().item<double>();
}

double distance(const Gaussian& a, const Gaussian& b) {
  const double traces =
      a.factor.square().sum().item<double>() + b.factor.square().sum().item<double>();
  return assembled(a.mean, b.mean, traces, trace_root(a.factor, b.factor));
}

void check_statistics(const FeatureStatistics& statistics, const std::string& what) {
  const Tensor &mean = statistics.mean, &covariance = statistics.covariance;
  if (mean.dim() != 1 || covariance.dim() != 2 || covariance.size(0) != mean.size(0) ||
      covariance.size(1) != mean.size(0)) {
    cluster::throw_environment("the " + what +
                               " statistics need a mean [d] and a covariance [d, d]");
  }
  if (!mean.isfinite().all().item<bool>() || !covariance.isfinite().all().item<bool>())
    cluster::throw_environment("the " + what + " statistics hold numbers that are not finite");
  constexpr double kAsymmetry = 1e-6;  // files written in float32 have some
  const double largest = covariance.abs().max().item<double>();
  if ((covariance - covariance.t()).abs().max().item<double>() > kAsymmetry * largest)
    cluster::throw_environment("the " + what + " covariance is not symmetric");
}

// L with L L^T = covariance; undefined where the rank is not full, or so nearly that the
// eigenvalues of products with it would be rounding.
Tensor cholesky_factor(const Tensor& covariance) {
  constexpr double kWorst = 1e-12;  // of the largest pivot
  const auto [factor, info] = at::linalg_cholesky_ex(covariance);
  if (info.item<int>() != 0) return {};
  const Tensor pivots = factor.diagonal().square();
  if (!(pivots.min().item<double>() > kWorst * pivots.max().item<double>())) return {};
  return factor;
}

// The lower triangle of L^T S L, L lower triangular; what stands above it is nothing. By halves, so
// that three eighths of the work on zeros and on the other triangle are left out.
Tensor congruence(const Tensor& lower, const Tensor& symmetric) {
  const std::int64_t d = lower.size(0), half = d / 2, rest = d - half;
  const auto part = [&](const Tensor& x, bool below, bool right) {
    return x.narrow(0, below ? half : 0, below ? rest : half)
        .narrow(1, right ? half : 0, right ? rest : half);
  };
  const Tensor left = symmetric.matmul(lower.narrow(1, 0, half)),  // of S L
      right_below =
          symmetric.narrow(0, half, rest).narrow(1, half, rest).matmul(part(lower, true, true));
  Tensor result = torch::empty({d, d}, lower.options());
  part(result, false, false).copy_(lower.narrow(1, 0, half).t().matmul(left));
  part(result, true, false).copy_(part(lower, true, true).t().matmul(left.narrow(0, half, rest)));
  part(result, true, true).copy_(part(lower, true, true).t().matmul(right_below));
  return result;
}

// F [rank, d] with F^T F = covariance but for rounding.
Tensor eigen_factor(const Tensor& covariance, const std::string& what) {
  constexpr double kNegative = 1e-6;  // of the largest; below lies no rounding, also of float32
  const auto [values, vectors] = at::linalg_eigh(covariance);  // ascending
  const double largest = values[-1].item<double>(), least = values[0].item<double>();
  if (least < -kNegative * std::max(largest, 0.0)) {
    cluster::throw_environment("the " + what + " covariance has the eigenvalue " +
                               std::to_string(least) + ": it is no covariance");
  }
  const double rounding = static_cast<double>(values.size(0)) *
                          std::numeric_limits<double>::epsilon() * std::max(largest, 0.0);
  const Tensor kept = (values > rounding).nonzero().flatten();
  return (vectors.index_select(1, kept) * values.index_select(0, kept).sqrt()).t();
}

}  // namespace

double frechet_distance(const Tensor& generated, const Tensor& reference, int ddof) {
  check_pair(generated, reference, 2);
  return distance(gaussian_of(generated, ddof), gaussian_of(reference, ddof));
}

FeatureStatistics feature_statistics(const Tensor& features, int ddof) {
  check_features(features, "given", 2);
  constexpr std::int64_t kBlockRows = 8192;
  const std::int64_t n = features.size(0), d = features.size(1);
  FeatureStatistics statistics{features.mean(0, /*keepdim=*/false, torch::kFloat64),
                               torch::zeros({d, d}, torch::kFloat64)};
  for (std::int64_t first = 0; first < n; first += kBlockRows) {
    const Tensor centred =
        features.narrow(0, first, std::min(kBlockRows, n - first)).to(torch::kFloat64) -
        statistics.mean;
    statistics.covariance.addmm_(centred.t(), centred);
  }
  statistics.covariance /= static_cast<double>(n - ddof);
  return statistics;
}

double frechet_distance(const FeatureStatistics& generated, const FeatureStatistics& reference) {
  check_statistics(generated, "generated");
  check_statistics(reference, "reference");
  if (generated.mean.size(0) != reference.mean.size(0)) {
    cluster::throw_usage("generated statistics are of " + std::to_string(generated.mean.size(0)) +
                         " features, those of the reference of " +
                         std::to_string(reference.mean.size(0)) +
                         ": they come from different networks or layers");
  }
  const auto exact = [](const Tensor& covariance) {
    const Tensor wide = covariance.to(torch::kFloat64);
    return (wide + wide.t()) / 2;
  };
  const Tensor mean_a = generated.mean.to(torch::kFloat64), a = exact(generated.covariance);
  const Tensor mean_b = reference.mean.to(torch::kFloat64), b = exact(reference.covariance);
  const double traces = a.trace().item<double>() + b.trace().item<double>();
  const Tensor factor_a = cholesky_factor(a);
  if (factor_a.defined() && cholesky_factor(b).defined()) {
    const Tensor values = at::linalg_eigvalsh(congruence(factor_a, b), "L");
    return assembled(mean_a, mean_b, traces, values.clamp_min(0).sqrt().sum().item<double>());
  }
  return assembled(mean_a, mean_b, traces,
                   trace_root(eigen_factor(a, "generated"), eigen_factor(b, "reference")));
}

Estimate frechet_estimate(const Tensor& generated, const Tensor& reference, std::uint64_t seed,
                          int resamples, int ddof) {
  check_pair(generated, reference, 2);
  const Gaussian real = gaussian_of(reference, ddof);
  const auto value = [&](const Tensor& rows) { return distance(gaussian_of(rows, ddof), real); };
  return {value(generated),
          bootstrap_error(generated.size(0), seed, resamples, [&](const Tensor& drawn) {
            return value(generated.index_select(0, drawn));
          })};
}

std::vector<std::int64_t> frechet_infinity_sizes(std::int64_t rows) {
  constexpr std::int64_t kSizes = 15, kMostAtFirst = 5000, kShare = 10;
  const std::int64_t first = std::min(kMostAtFirst, std::max(rows / kShare, std::int64_t{2}));
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < kSizes; ++i) {
    // numpy.linspace, then the integer below.
    const double step = static_cast<double>(rows - first) / static_cast<double>(kSizes - 1);
    sizes.push_back(i == kSizes - 1 ? rows
                                    : static_cast<std::int64_t>(static_cast<double>(i) * step +
                                                                static_cast<double>(first)));
  }
  return sizes;
}

FrechetAtInfinity frechet_at_infinity(const Tensor& generated, const Tensor& reference,
                                      NumpyRandom& random, int ddof) {
  check_pair(generated, reference, 2);
  check_features(generated, "generated", experiments::kFewestForInfinity);
  const Gaussian real = gaussian_of(reference, ddof);
  FrechetAtInfinity result;
  result.sizes = frechet_infinity_sizes(generated.size(0));
  for (const std::int64_t size : result.sizes) {
    const Tensor rows = torch::tensor(
        random.choice(static_cast<std::size_t>(generated.size(0)), static_cast<std::size_t>(size)));
    result.distances.push_back(distance(gaussian_of(generated.index_select(0, rows), ddof), real));
  }
  const Tensor x = torch::tensor(result.sizes).to(torch::kFloat64).reciprocal();
  const Tensor y = torch::tensor(result.distances, torch::kFloat64);
  const Tensor from_middle = x - x.mean();
  const double spread = from_middle.square().sum().item<double>();
  result.slope = (from_middle * y).sum().item<double>() / spread;
  const double middle = x.mean().item<double>();
  result.value.value = y.mean().item<double>() - result.slope * middle;
  const Tensor misses = y - (result.value.value + result.slope * x);
  const auto count = static_cast<double>(result.sizes.size());
  result.value.standard_error = std::sqrt(misses.square().sum().item<double>() / (count - 2) *
                                          (1 / count + middle * middle / spread));
  return result;
}

}  // namespace marquee::analysis
