#include "analysis/report/paired_statistics.h"

#include <cmath>

#include <gtest/gtest.h>

#include "cluster/philox.h"

namespace marquee::analysis {
namespace {

// scipy.stats.wilcoxon (1.17.1) of the same differences: exact, with ties, with zeros, many.
TEST(Wilcoxon, GivesSciPysP) {
  const std::vector<std::pair<std::vector<double>, double>> cases{
      {{1.5, -0.3, 2.2, 0.7, 3.1}, 0.125},
      {{0.501, 0.799, 0.226, -0.391, 0.045, -0.492, 0.56, 1.84, 0.008, -0.12}, 0.193359375},
      {{0.89, 0.757, 0.505, -0.53, 0.371, 1.095, -0.944, -0.058, -1.501, -0.89, -1.442, 0.165,
        -0.867, 0.671, 0.557, 0.213, -2.117, -0.139, 0.351},
       0.6725975739784472},
      {{1.0, 1.0, 2.0, -2.0, 3.0, 3.0, -1.0, 4.0}, 0.140625},
      {{0.0, 1.0, 2.0, 0.0, -1.5, 3.0, 4.0}, 0.1875},
      {{1.0, -1.0, 0.0, -1.0, 0.0, 1.0, 0.0,  0.0, 1.0, 0.0,
        0.0, 1.0,  0.0, -1.0, 0.0, 2.0, -1.0, 1.0, 1.0, 0.0},
       0.28504940740261275},
      {{2.2,    0.962,  -0.999, 0.275,  0.777,  0.011, 0.883, 0.133,  0.867,  1.639, -0.476, 0.403,
        -0.263, 0.327,  -0.987, -0.379, 0.004,  1.099, 1.345, -1.124, -0.595, 0.847, -1.792, -0.263,
        0.103,  1.457,  0.889,  -0.127, -0.169, -0.05, 1.724, -0.228, -0.104, 0.553, 0.079,  0.003,
        -0.914, 0.188,  -0.244, 1.366,  0.853,  0.176, 0.868, -0.14,  1.252,  0.195, 0.783,  -1.091,
        0.547,  -1.488, -1.835, -0.104, -0.7,   0.364, 2.445, -0.632, -0.424},
       0.18587276442314893},
      {{2.0}, 1.0},
      {{-1.0, -2.0, -3.0, -4.0, -5.0, -6.0}, 0.03125},
      {{0.5054,  0.793,  0.1236,  0.0941,  1.0025,  0.8199,  -0.7337, 0.2208,  0.3353,  -0.7545,
        0.5598,  -0.558, 1.2721,  0.4927,  0.3893,  -0.291,  0.1814,  -1.6977, -0.8314, 0.6628,
        -1.8286, 1.1466, -1.4461, 1.0567,  -0.5455, 1.079,   0.431,   -1.2368, 1.5491,  1.7417,
        0.2342,  0.0261, 0.1401,  -0.6752, 1.3986,  -0.2429, 0.2488,  -0.4933, -0.3261, -0.9777,
        1.5571,  0.1459, 1.2659,  0.3133,  -0.3944, -0.0267, -0.2602, 0.308,   -0.0753, 0.0001},
       0.22974800885474522},
  };
  for (const auto& [differences, p] : cases) {
    EXPECT_NEAR(wilcoxon_p(differences).value(), p, 1e-13) << differences.size();
    std::vector<double> mirrored = differences;
    for (double& difference : mirrored) difference = -difference;
    EXPECT_NEAR(wilcoxon_p(mirrored).value(), p, 1e-13) << differences.size();
  }
  EXPECT_FALSE(wilcoxon_p({}));
  EXPECT_FALSE(wilcoxon_p({0, 0}));
}

TEST(RankBiserial, GoesFromMinusOneToOne) {
  EXPECT_EQ(rank_biserial({1, 2, 3}), 1.0);
  EXPECT_EQ(rank_biserial({-1, -2, -3}), -1.0);
  EXPECT_NEAR(rank_biserial({1.5, -0.3, 2.2, 0.7, 3.1}).value(), (14.0 - 1.0) / 15.0, 1e-15);
  EXPECT_FALSE(rank_biserial({0}));
}

// statsmodels.stats.multitest.multipletests(method="holm") of the same values.
TEST(Holm, AdjustsInTheOrderOfSizeAndKeepsThePlaces) {
  const std::vector<double> adjusted = holm({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15);
  EXPECT_EQ(holm({0.7, 0.9}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

const std::vector<double> kTen{1.2, -0.4, 0.9, 2.2, 0.1, -1.3, 0.7, 1.9, 0.4, 3.0};

// scipy.stats.t.interval.
TEST(StudentInterval, GivesSciPysEnds) {
  const Interval interval = student_interval(kTen, 0.95);
  EXPECT_NEAR(interval.low, -0.04240338899527607, 1e-12);
  EXPECT_NEAR(interval.high, 1.782403388995276, 1e-12);
}

Interval bootstrap_interval(const std::vector<double>& values, double confidence,
                            std::uint64_t seed, int resamples) {
  return bootstrap_intervals({values}, confidence, seed, resamples).front();
}

// scipy.stats.bootstrap(method="percentile") at the widened level 1 - 2 * 0.008550639024406366,
// two million resamples: (-0.03, 1.78).
TEST(BootstrapInterval, GivesSciPysEndsAtTheWidenedLevel) {
  const Interval interval = bootstrap_interval(kTen, 0.95, 1, 400'000);
  EXPECT_NEAR(interval.low, -0.03, 0.011);
  EXPECT_NEAR(interval.high, 1.78, 0.011);
  EXPECT_EQ(interval, bootstrap_interval(kTen, 0.95, 1, 400'000));
  EXPECT_NE(interval, bootstrap_interval(kTen, 0.95, 2, 400'000));
  EXPECT_EQ(bootstrap_interval({2, 2, 2, 2}, 0.95, 1, 100), (Interval{2, 2}));
}

// How often 95 % intervals hold the true mean, of normal and of skewed values.
TEST(BootstrapInterval, HoldsTheTruthAsOftenAsItSays) {
  constexpr int kSets = 1500, kResamples = 800;
  for (const std::size_t size : {6, 12, 57}) {
    for (const bool skewed : {false, true}) {
      cluster::PhiloxStream stream(skewed ? 5 : 4, cluster::Purpose::comparison, 1, size);
      int held = 0;
      for (int set = 0; set < kSets; ++set) {
        std::vector<double> values(size);
        for (double& value : values)
          value = skewed ? -std::log(1 - stream.uniform_double()) - 1 : stream.normal();
        const Interval interval =
            bootstrap_interval(values, 0.95, static_cast<std::uint64_t>(set), kResamples);
        held += interval.low <= 0 && 0 <= interval.high ? 1 : 0;
      }
      const double share = static_cast<double>(held) / kSets;
      // A spread of 0.006 comes from the number of sets; exponential values lack a little.
      EXPECT_GT(share, skewed ? (size < 20 ? 0.86 : 0.92) : 0.925) << size << " " << skewed;
      EXPECT_LT(share, 0.975) << size << " " << skewed;
    }
  }
}

TEST(BootstrapInterval, OfSeveralColumnsIsThatOfEach) {
  std::vector<double> squares;
  for (const double value : kTen) squares.push_back(value * value);
  const auto both = bootstrap_intervals({kTen, squares}, 0.95, 9, 500);
  EXPECT_EQ(both[0], bootstrap_interval(kTen, 0.95, 9, 500));
  EXPECT_EQ(both[1], bootstrap_interval(squares, 0.95, 9, 500));
  EXPECT_EQ(comparison_resamples(10), 10'000);
  EXPECT_EQ(comparison_resamples(4'000), 5'000);
  EXPECT_EQ(comparison_resamples(1'000'000), 2'000);
}

TEST(PairedSummary, CountsWinsInTheDirectionOfTheMetric) {
  const std::vector<double> four{-1, -2, 0, 3};
  const auto both = summarise_pairs({four, four}, {true, false}, 0);
  EXPECT_EQ(both[0].pairs, 4U);
  EXPECT_EQ(both[0].wins, 2U);
  EXPECT_EQ(both[0].ties, 1U);
  EXPECT_EQ(both[0].losses, 1U);
  EXPECT_EQ(both[0].mean, 0);
  EXPECT_FALSE(both[0].bootstrap);
  EXPECT_EQ(both[0].interval, student_interval(four, 0.95));
  EXPECT_EQ(both[1].wins, 1U);
  const PairedSummary ten = summarise_pairs({kTen}, {true}, 3).front();
  EXPECT_TRUE(ten.bootstrap);
  EXPECT_EQ(ten.interval, bootstrap_interval(kTen, 0.95, 3, comparison_resamples(10)));
  const PairedSummary one = summarise_pairs({{0.5}}, {true}, 0).front();
  EXPECT_FALSE(one.interval);
  EXPECT_EQ(one.p, 1.0);
}

}  // namespace
}  // namespace marquee::analysis
