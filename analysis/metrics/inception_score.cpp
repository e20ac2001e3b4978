#include "analysis/metrics/inception_score.h"

#include <cmath>

#include "analysis/metrics/bootstrap.h"
#include "analysis/metrics/numpy_random.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

// log p(y|x) of some images.
double score_of(const Tensor& log_probabilities) {
  const Tensor p = log_probabilities.exp();
  const Tensor marginal = p.mean(0, /*keepdim=*/true).log();
  return std::exp((p * (log_probabilities - marginal)).sum(1).mean().item<double>());
}

Tensor log_probabilities(const Tensor& logits) {
  return at::log_softmax(logits.to(torch::kFloat64), 1);
}

}  // namespace

InceptionScore inception_score(const Tensor& logits, int splits,
                               std::optional<std::uint32_t> shuffle_seed) {
  MARQUEE_CHECK(splits >= 1, "an Inception Score has one split or more");
  check_features(logits, "generated", splits);
  Tensor rows = log_probabilities(logits);
  const std::int64_t n = rows.size(0);
  if (shuffle_seed) {
    NumpyRandom random(*shuffle_seed);
    rows = rows.index_select(0, torch::tensor(random.permutation(static_cast<std::size_t>(n))));
  }
  InceptionScore result{torch::empty({splits}, torch::kFloat64)};
  for (std::int64_t i = 0; i < splits; ++i) {
    const std::int64_t first = i * n / splits, behind = (i + 1) * n / splits;
    result.splits[i] = score_of(rows.narrow(0, first, behind - first));
  }
  result.mean = result.splits.mean().item<double>();
  result.deviation = result.splits.std(/*unbiased=*/false).item<double>();
  return result;
}

Estimate inception_estimate(const Tensor& logits, std::uint64_t seed, int resamples) {
  check_features(logits, "generated", 1);
  const Tensor rows = log_probabilities(logits);
  return {score_of(rows), bootstrap_error(rows.size(0), seed, resamples, [&](const Tensor& drawn) {
            return score_of(rows.index_select(0, drawn));
          })};
}

}  // namespace marquee::analysis
