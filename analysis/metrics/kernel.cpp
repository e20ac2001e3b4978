#include "analysis/metrics/kernel.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr std::int64_t kBlockRows = 512;

// Sum of the kernel over each row of `a` against all of `b`, float64 [n].
Tensor row_sums(const Tensor& a, const Tensor& b) {
  const auto width = static_cast<double>(a.size(1));
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < a.size(0); first += kBlockRows) {
    const Tensor block = a.narrow(0, first, std::min(kBlockRows, a.size(0) - first));
    parts.push_back((block.matmul(b.t()) / width + 1.0).pow(3).sum(1));
  }
  return at::cat(parts);
}

Tensor self_terms(const Tensor& a) {
  return (a.square().sum(1) / static_cast<double>(a.size(1)) + 1.0).pow(3);
}

}  // namespace

double kernel_distance(const Tensor& generated, const Tensor& reference) {
  return kernel_estimate(generated, reference).value;
}

Estimate kernel_estimate(const Tensor& generated, const Tensor& reference) {
  check_pair(generated, reference, 2);
  const Tensor g = generated.to(torch::kFloat64), r = reference.to(torch::kFloat64);
  const auto n = static_cast<double>(g.size(0)), m = static_cast<double>(r.size(0));
  const Tensor within = row_sums(g, g) - self_terms(g);
  const Tensor across = row_sums(g, r);
  const double real = (row_sums(r, r) - self_terms(r)).sum().item<double>() / (m * (m - 1));
  const double sum_within = within.sum().item<double>(), sum_across = across.sum().item<double>();
  Estimate estimate{sum_within / (n * (n - 1)) + real - 2 * sum_across / (n * m), 0};
  if (g.size(0) >= 3) {
    // Leaving row i out takes its pairs away twice (symmetric kernel).
    const Tensor left_out = (sum_within - 2 * within) / ((n - 1) * (n - 2)) + real -
                            2 * (sum_across - across) / ((n - 1) * m);
    const double spread = (left_out - left_out.mean()).square().sum().item<double>();
    estimate.standard_error = std::sqrt((n - 1) / n * spread);
  }
  return estimate;
}

Tensor kernel_distances(const Tensor& generated, const Tensor& reference,
                        const KernelSubsets& subsets, NumpyRandom& random) {
  check_pair(generated, reference, std::max<std::int64_t>(2, subsets.size));
  const auto drawn = [&](const Tensor& set) {
    return set.index_select(0,
                            torch::tensor(random.choice(static_cast<std::size_t>(set.size(0)),
                                                        static_cast<std::size_t>(subsets.size))));
  };
  Tensor values = torch::empty({subsets.subsets}, torch::kFloat64);
  for (std::int64_t i = 0; i < subsets.subsets; ++i) {
    Tensor g, r;
    if (subsets.drawn_first == DrawnFirst::generated) g = drawn(generated);
    r = drawn(reference);
    if (!g.defined()) g = drawn(generated);
    values[i] = kernel_distance(g, r);
  }
  return values;
}

}  // namespace marquee::analysis
