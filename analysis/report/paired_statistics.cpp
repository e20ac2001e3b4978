#include "analysis/report/paired_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "cluster/error.h"
#include "cluster/philox.h"

namespace marquee::analysis {
namespace {

constexpr double kConfidence = 0.95;
// Sizes up to which scipy.stats.wilcoxon goes through all signs.
constexpr std::size_t kMostExact = 50, kMostExactWithTies = 13;

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Signed ranks of the differences that are not 0. Ranks are held doubled: halves of ties are whole.
struct SignedRanks {
  std::vector<std::int64_t> doubled;  // in rising order
  std::int64_t doubled_plus = 0, doubled_total = 0;
  bool ties = false;
  double tie_term = 0;  // sum of t^3 - t over groups of equal sizes
};

SignedRanks ranks_of(const std::vector<double>& differences) {
  std::vector<double> kept;
  for (const double difference : differences)
    if (difference != 0) kept.push_back(difference);
  std::sort(kept.begin(), kept.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  SignedRanks ranks;
  for (std::size_t begin = 0; begin < kept.size();) {
    std::size_t end = begin + 1;
    while (end < kept.size() && std::abs(kept[end]) == std::abs(kept[begin])) ++end;
    const auto doubled = static_cast<std::int64_t>(begin + 1 + end);  // twice their mean rank
    const auto count = static_cast<double>(end - begin);
    if (end - begin > 1) {
      ranks.ties = true;
      ranks.tie_term += count * count * count - count;
    }
    for (; begin < end; ++begin) {
      ranks.doubled.push_back(doubled);
      ranks.doubled_total += doubled;
      if (kept[begin] > 0) ranks.doubled_plus += doubled;
    }
  }
  return ranks;
}

// Probabilities of every doubled sum of positive ranks when each sign is a fair coin.
double exact_p(const SignedRanks& ranks) {
  std::vector<double> chance(static_cast<std::size_t>(ranks.doubled_total) + 1, 0.0);
  chance[0] = 1;
  std::size_t reached = 0;
  for (const std::int64_t rank : ranks.doubled) {
    const auto step = static_cast<std::size_t>(rank);
    for (std::size_t sum = reached + step + 1; sum-- > 0;) {
      chance[sum] = (sum <= reached ? chance[sum] / 2 : 0.0) +
                    (sum >= step && sum - step <= reached ? chance[sum - step] / 2 : 0.0);
    }
    reached += step;
  }
  double below = 0, above = 0;
  for (std::size_t sum = 0; sum < chance.size(); ++sum) {
    if (sum <= static_cast<std::size_t>(ranks.doubled_plus)) below += chance[sum];
    if (sum >= static_cast<std::size_t>(ranks.doubled_plus)) above += chance[sum];
  }
  return std::min(1.0, 2 * std::min(below, above));
}

double approximate_p(const SignedRanks& ranks) {
  const auto n = static_cast<double>(ranks.doubled.size());
  const double mean = n * (n + 1) / 4;
  const double variance = (n * (n + 1) * (2 * n + 1) - ranks.tie_term / 2) / 24;
  const double z = (static_cast<double>(ranks.doubled_plus) / 2 - mean) / std::sqrt(variance);
  return std::min(1.0, 2 * boost::math::cdf(boost::math::normal(), -std::abs(z)));
}

// Linear between the order statistics, as numpy.quantile.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::optional<double> wilcoxon_p(const std::vector<double>& differences) {
  const SignedRanks ranks = ranks_of(differences);
  if (ranks.doubled.empty()) return std::nullopt;
  const bool plain = !ranks.ties && ranks.doubled.size() == differences.size();
  const bool exact = differences.size() <= (plain ? kMostExact : kMostExactWithTies);
  return exact ? exact_p(ranks) : approximate_p(ranks);
}

std::optional<double> rank_biserial(const std::vector<double>& differences) {
  const SignedRanks ranks = ranks_of(differences);
  if (ranks.doubled.empty()) return std::nullopt;
  return static_cast<double>(2 * ranks.doubled_plus - ranks.doubled_total) /
         static_cast<double>(ranks.doubled_total);
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double highest = 0;
  for (std::size_t place = 0; place < order.size(); ++place) {
    highest = std::max(highest, static_cast<double>(p.size() - place) * p[order[place]]);
    adjusted[order[place]] = std::min(1.0, highest);
  }
  return adjusted;
}

Interval student_interval(const std::vector<double>& values, double confidence) {
  MARQUEE_CHECK(values.size() >= 2, "an interval of fewer than two values");
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double t = boost::math::quantile(boost::math::students_t(n - 1), (1 + confidence) / 2);
  const double half = t * std::sqrt(squares / (n - 1) / n);
  return {mean - half, mean + half};
}

int comparison_resamples(std::size_t differences) {
  constexpr std::size_t kMost = 10'000, kFewest = 2'000, kMostDraws = 20'000'000;
  return static_cast<int>(
      std::clamp(kMostDraws / std::max<std::size_t>(differences, 1), kFewest, kMost));
}

std::vector<Interval> bootstrap_intervals(const std::vector<std::vector<double>>& columns,
                                          double confidence, std::uint64_t seed, int resamples) {
  MARQUEE_CHECK(!columns.empty() && columns[0].size() >= 2 && resamples >= 2,
                "a bootstrap of fewer than two values");
  const std::size_t count = columns[0].size();
  const auto n = static_cast<double>(count);
  // Row by row, so that what one draw takes lies together.
  std::vector<double> rows(count * columns.size());
  for (std::size_t column = 0; column < columns.size(); ++column) {
    MARQUEE_CHECK(columns[column].size() == count, "columns of different lengths");
    for (std::size_t i = 0; i < count; ++i) rows[i * columns.size() + column] = columns[column][i];
  }
  cluster::PhiloxStream stream(seed, cluster::Purpose::comparison);
  std::vector<std::vector<double>> means(columns.size());
  for (auto& column : means) column.reserve(static_cast<std::size_t>(resamples));
  std::vector<double> sums(columns.size());
  for (int resample = 0; resample < resamples; ++resample) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < count; ++i) {
      // A row of [0, count) by a product: uneven by less than count / 2^32.
      const std::size_t drawn =
          static_cast<std::size_t>((static_cast<std::uint64_t>(stream.next_u32()) * count) >> 32);
      const double* row = rows.data() + drawn * columns.size();
      for (std::size_t column = 0; column < columns.size(); ++column) sums[column] += row[column];
    }
    for (std::size_t column = 0; column < columns.size(); ++column)
      means[column].push_back(sums[column] / n);
  }
  const double t = boost::math::quantile(boost::math::students_t(n - 1), (1 + confidence) / 2);
  const double tail = boost::math::cdf(boost::math::normal(), -std::sqrt(n / (n - 1)) * t);
  std::vector<Interval> intervals;
  for (auto& column : means) {
    std::sort(column.begin(), column.end());
    intervals.push_back({quantile(column, tail), quantile(column, 1 - tail)});
  }
  return intervals;
}

std::vector<PairedSummary> summarise_pairs(const std::vector<std::vector<double>>& columns,
                                           const std::vector<bool>& lower_is_better,
                                           std::uint64_t seed) {
  std::vector<PairedSummary> summaries;
  std::vector<Interval> intervals;
  const bool bootstrap = !columns.empty() && columns[0].size() >= kFewestForBootstrap;
  if (bootstrap)
    intervals =
        bootstrap_intervals(columns, kConfidence, seed, comparison_resamples(columns[0].size()));
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const std::vector<double>& differences = columns[column];
    MARQUEE_CHECK(!differences.empty(), "a summary of no pairs");
    PairedSummary summary;
    summary.pairs = differences.size();
    summary.mean = mean_of(differences);
    for (const double difference : differences) {
      if (difference == 0) {
        ++summary.ties;
      } else {
        ++((difference < 0) == lower_is_better[column] ? summary.wins : summary.losses);
      }
    }
    summary.bootstrap = bootstrap;
    if (bootstrap) {
      summary.interval = intervals[column];
    } else if (differences.size() > 1) {
      summary.interval = student_interval(differences, kConfidence);
    }
    summary.p = wilcoxon_p(differences);
    summary.effect = rank_biserial(differences);
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace marquee::analysis
