#include "analysis/report/run_differences.h"

#include <cmath>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using experiments::MetricValue;
using experiments::RunConfig;

RunConfig run_of(int length, std::uint64_t seed = 0) {
  RunConfig run = analysis::run_of("eurosat", "prompt", seed);
  run.prompt_length = length;
  return run;
}

MetricValue fid(double value, std::optional<double> error = 0.3) {
  return metric_of("fid_mini", value, error);
}

class RunDifferencesTest : public FinishedRuns {
 protected:
  RunDifferences differences(const std::vector<std::pair<RunConfig, RunConfig>>& runs) {
    ledger_.publish();
    std::vector<RunPair> pairs;
    for (const auto& [before, after] : runs) pairs.push_back({id_of(before), id_of(after)});
    return load_differences(folder_.path() / "results.sqlite", pairs);
  }
  // Why fid_mini of these two is not subtracted.
  std::string reason(const RunConfig& before, const MetricValue& first, const RunConfig& after,
                     const MetricValue& second) {
    finish(before, {first});
    finish(after, {second});
    const RunDifferences found = differences({{before, after}});
    EXPECT_EQ(found.pairs[0].metrics.size(), 1U);
    const MetricDifference& row = found.pairs[0].metrics.at(0);
    EXPECT_EQ(row.difference.has_value(), row.not_subtracted.empty());
    EXPECT_EQ(found.means.empty(), !row.not_subtracted.empty());
    EXPECT_EQ(
        differences_text(found).find("not subtracted: " + row.not_subtracted) == std::string::npos,
        row.not_subtracted.empty());
    return row.not_subtracted;
  }
};

TEST_F(RunDifferencesTest, AreTakenMetricByMetric) {
  finish(run_of(8), {{"recall", 0.5, {}, 256, 1000, "mini-v0", kNetwork}, fid(10)});
  finish(run_of(16), {{"recall", 0.75, 0.1, 256, 1000, "mini-v0", kNetwork}, fid(8, 0.4)});
  const RunDifferences found = differences({{run_of(8), run_of(16)}});
  ASSERT_EQ(found.pairs.size(), 1U);
  const auto& metrics = found.pairs[0].metrics;
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].metric, "fid_mini");
  EXPECT_EQ(metrics[0].before->value, 10);
  EXPECT_EQ(metrics[0].after->value, 8);
  EXPECT_EQ(metrics[0].difference, -2);
  EXPECT_NEAR(metrics[0].standard_error.value(), 0.5, 1e-12);
  EXPECT_EQ(metrics[1].difference, 0.25);
  EXPECT_FALSE(metrics[1].standard_error);
  ASSERT_EQ(found.means.size(), 2U);
  EXPECT_EQ(found.means[0].mean, -2);
  EXPECT_EQ(found.means[0].standard_error, metrics[0].standard_error);
  const std::string text = differences_text(found);
  EXPECT_NE(text.find(id_of(run_of(8)).substr(0, 12) + " -> " + id_of(run_of(16)).substr(0, 12) +
                      "  eurosat, 5 shots, prompt, seed 0\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("fid_mini  10.00 ± 0.30  8.00 ± 0.40  -2.00 ± 0.50\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("fid_mini      1     -2.00 ± 0.50\n"), std::string::npos) << text;
}

TEST_F(RunDifferencesTest, AreAveragedOverPairs) {
  std::vector<std::pair<RunConfig, RunConfig>> pairs;
  for (const std::uint64_t seed : {0, 1, 2}) {
    const auto more = static_cast<double>(seed);
    finish(run_of(8, seed), {fid(10 + more)});
    finish(run_of(16, seed), {fid(12 + 4 * more)});  // 2, 5, 8 more
    pairs.emplace_back(run_of(8, seed), run_of(16, seed));
  }
  const RunDifferences found = differences(pairs);
  ASSERT_EQ(found.means.size(), 1U);
  EXPECT_EQ(found.means[0].pairs, 3);
  EXPECT_NEAR(found.means[0].mean, 5, 1e-12);
  EXPECT_NEAR(found.means[0].standard_error.value(), 3 / std::sqrt(3.0), 1e-12);
}

// A run in two pairs makes them depend on each other.
TEST_F(RunDifferencesTest, TellNoErrorOfPairsThatShareARun) {
  finish(run_of(4), {fid(10)});
  finish(run_of(8), {fid(12)});
  finish(run_of(16), {fid(13)});
  const RunDifferences found = differences({{run_of(4), run_of(16)}, {run_of(8), run_of(16)}});
  ASSERT_EQ(found.means.size(), 1U);
  EXPECT_EQ(found.means[0].mean, 2);
  EXPECT_FALSE(found.means[0].standard_error);
}

TEST_F(RunDifferencesTest, NeverSubtractWhatWasMadeDifferently) {
  const MetricValue usual = fid(10);
  EXPECT_EQ(reason(run_of(1), usual, run_of(2), usual), "");
  MetricValue other = usual;
  other.network_hash = std::string(64, 'c');
  EXPECT_EQ(reason(run_of(3), usual, run_of(4), other), "network bbbbbbbb and cccccccc");
  other.network_hash = std::string(63, 'b') + "c";
  EXPECT_EQ(reason(run_of(5), usual, run_of(6), other), "other network");
  other = usual;
  other.n_generated = 8;
  EXPECT_EQ(reason(run_of(7), usual, run_of(8), other), "256 and 8 generated images");
  other = usual;
  other.n_reference = 8;
  EXPECT_EQ(reason(run_of(9), usual, run_of(10), other), "1000 and 8 reference images");
  RunConfig validated = run_of(12);
  validated.reference = "val";
  EXPECT_EQ(reason(run_of(11), usual, validated, usual), "reference split test and val");
  RunConfig newer = run_of(14);
  newer.protocol = other.protocol = "mini-v1";
  other.n_reference = usual.n_reference;
  EXPECT_EQ(reason(run_of(13), usual, newer, other), "protocol mini-v0 and mini-v1");
  finish(run_of(15), {usual});
  finish(run_of(16), {{"kid_mini", 1, {}, 256, 1000, "mini-v0", kNetwork}});
  const RunDifferences apart = differences({{run_of(15), run_of(16)}});
  EXPECT_EQ(apart.pairs[0].metrics.size(), 2U);
  for (const MetricDifference& row : apart.pairs[0].metrics)
    EXPECT_EQ(row.not_subtracted, "measured by one of them alone");
}

TEST_F(RunDifferencesTest, SayWhichRunHasNoValues) {
  ledger_.register_run(run_of(8));
  finish(run_of(16), {fid(8)});
  const RunDifferences found = differences({{run_of(8), run_of(16)}, {run_of(16), run_of(32)}});
  EXPECT_TRUE(found.pairs[0].metrics.empty());
  EXPECT_TRUE(found.means.empty());
  const std::string text = differences_text(found);
  EXPECT_NE(
      text.find("before: run " + id_of(run_of(8)).substr(0, 12) + " is not done yet (pending)"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("after: run " + id_of(run_of(32)).substr(0, 12) + " is not in this database"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("no pair has numbers"), std::string::npos) << text;
}

TEST_F(RunDifferencesTest, StandInJsonWithEveryDigit) {
  finish(run_of(8), {fid(0.1)});
  finish(run_of(16), {fid(0.3, {})});
  const nlohmann::json content = to_json(differences({{run_of(8), run_of(16)}}));
  const nlohmann::json& pair = content.at("pairs").at(0);
  EXPECT_EQ(pair.at("before").at("run_id"), id_of(run_of(8)));
  EXPECT_EQ(pair.at("metrics").at(0).at("difference"), 0.3 - 0.1);
  EXPECT_TRUE(pair.at("metrics").at(0).at("not_subtracted").is_null());
  EXPECT_TRUE(pair.at("metrics").at(0).at("after").at("standard_error").is_null());
  EXPECT_EQ(content.at("means").at(0).at("pairs"), 1);
}

TEST_F(RunDifferencesTest, NameADamagedDatabase) {
  const auto file = folder_.path() / "other.sqlite";
  cluster::write_file_durably(file, "no database");
  EXPECT_THROW(load_differences(file, {{id_of(run_of(8)), id_of(run_of(16))}}), cluster::Error);
}

}  // namespace
}  // namespace marquee::analysis
