// Statistics of paired differences: what `marquee compare` says about two methods.
//
// Pure functions; the random ones draw from the stream (seed, comparison). Proven by
// tests/report/paired_statistics_test.cpp: SciPy's numbers, and how often intervals hold the truth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace marquee::analysis {

struct Interval {
  double low = 0, high = 0;
  bool operator==(const Interval&) const = default;
};

// Two-sided p of Wilcoxon's signed-rank test (Wilcoxon 1945) that differences are symmetric around
// 0; zeros are dropped, equal sizes share their mean rank. As scipy.stats.wilcoxon(method="auto"):
// from the exact distribution for up to 50 differences without zeros and ties and for up to 13 with
// them, else from the normal approximation with correction for ties, without one for continuity.
// Nothing where all are 0 or there are none.
std::optional<double> wilcoxon_p(const std::vector<double>& differences);

// Rank-biserial correlation of the signed ranks (Kerby 2014): from -1 (all below 0) to 1.
std::optional<double> rank_biserial(const std::vector<double>& differences);

// Holm's step-down adjustment (Holm 1979) of p values that are looked at together; in their order.
std::vector<double> holm(const std::vector<double>& p);

// Fewest differences that a bootstrap interval is given for.
inline constexpr std::size_t kFewestForBootstrap = 6;
// Resamples for so many differences: 10,000, fewer from 2,000 differences on, 2,000 at least.
int comparison_resamples(std::size_t differences);

// Quantiles of the mean over resamples with replacement, widened for small samples: the expanded
// percentile interval of Hesterberg (2015), whose tails are Phi(-sqrt(n / (n - 1)) t(1 - tail, n -
// 1)). `confidence`: 0.95. Of several columns of the same length: each interval is the one of its
// column alone.
std::vector<Interval> bootstrap_intervals(const std::vector<std::vector<double>>& columns,
                                          double confidence, std::uint64_t seed, int resamples);
// Student's interval of the mean; two values or more.
Interval student_interval(const std::vector<double>& values, double confidence);

// Of differences "other - first", where a lower or a higher value is the better one.
struct PairedSummary {
  std::size_t pairs = 0;
  double mean = 0;
  std::optional<Interval> interval{};          // of the mean, 95 %; none for a single pair
  bool bootstrap = false;                      // else Student's, for fewer than kFewestForBootstrap
  std::size_t wins = 0, ties = 0, losses = 0;  // of the other
  std::optional<double> p{};                   // Wilcoxon's
  std::optional<double> effect{};              // rank-biserial
};

// A column of differences for each metric, all of one length, and whether lower is better in it.
std::vector<PairedSummary> summarise_pairs(const std::vector<std::vector<double>>& columns,
                                           const std::vector<bool>& lower_is_better,
                                           std::uint64_t seed);

}  // namespace marquee::analysis
