// Precision and recall (Kynkäänniemi et al. 2019) and density and coverage (Naeem et al. 2020): how
// the two sets lie in each other's k-nearest-neighbour balls. Distances as direct
// differences in float64 give them (neighbours.h); a ball's radius is the distance to the k-th
// neighbour within its own set, itself not counted.
//
// Precision and recall count distances <= radius, density and coverage < radius, as the field's
// tools do. Proven by tests/metrics/features_golden_test.cpp (`pr/exact_k*`, `pr/exact_strict_k*`).
#pragma once

#include <vector>

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// Share of hits (bool or 0 and 1, not empty); standard error: binomial.
Estimate share_of(const Tensor& hits);

struct PrecisionRecall {
  Estimate precision;  // share of generated rows in a ball of the reference
  Estimate recall;     // share of reference rows in a ball of the generated
};
struct DensityCoverage {
  Estimate density;   // mean number of reference balls around a generated row, over k
  Estimate coverage;  // share of reference balls with a generated row inside
};

// features: float [n, d]; both sets need more than k rows (usage error otherwise). Standard errors:
// binomial for shares, of the mean for density. `strict`: < instead of <=.
PrecisionRecall precision_recall(const Tensor& generated, const Tensor& reference, int k = 3,
                                 bool strict = false);
DensityCoverage density_coverage(const Tensor& generated, const Tensor& reference, int k = 5,
                                 bool strict = true);

// Both from one pass over the distances, with k_pr for precision and recall, k_dc for the others.
struct ManifoldMetrics {
  PrecisionRecall precision_recall;
  DensityCoverage density_coverage;
};
ManifoldMetrics manifold_metrics(const Tensor& generated, const Tensor& reference, int k_pr = 3,
                                 int k_dc = 5);

// Radii of the balls of the given ks, float64 [n, ks]; `features` needs more than the largest k
// rows.
Tensor ball_radii(const Tensor& features, const std::vector<int>& ks);

// How far inside the reference's balls each generated row lies: the largest radius / distance over
// the balls smaller than the median ball; float64 [n], infinite for a copy. Source: Kynkäänniemi et
// al. 2019, as dgm-eval computes it.
Tensor realism_scores(const Tensor& generated, const Tensor& reference, int k = 5);

// Harmonic mean of precision and recall; 0 where both are (torch-fidelity's f_score).
double f_score(double precision, double recall);

}  // namespace marquee::analysis
