// Which runs an ablation sets against each other, and the page that says it.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "analysis/report/ablation_page.h"
#include "analysis/report/plot.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/ledger.h"
#include "experiments/run_folder.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::analysis {
namespace {

using experiments::RunConfig;

RunConfig usual() {
  RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "prompt";
  run.prompt_length = 16;
  run.learning_rate = 0.01;
  run.steps = 100;
  return run;
}

template <typename Change>
RunConfig changed(Change change) {
  RunConfig run = usual();
  change(run);
  return run;
}

class AblationTest : public testing::Test {
 protected:
  AblationTest() : ledger_(experiments::Ledger::open(folder_.path(), 1)) {}

  void finish(const RunConfig& run, double fid, double recall = 0.5, char network = 'b') {
    experiments::SweepFile sweep;
    sweep.name = "ablations";
    sweep.sha256 = std::string(64, 'f');
    sweep.file = "ablations.yaml";
    sweep.runs = runs_ = with(run);
    ledger_.register_sweep(sweep);
    experiments::AttemptRecord record;
    record.run_id = experiments::run_id(run).text();
    record.attempt = ledger_.start_attempt(experiments::run_id(run), "here", 0);
    record.epoch = 1;
    record.status = "done";
    record.started = record.ended = "2026-01-01T00:00:00.000Z";
    record.run = experiments::to_json(run);
    experiments::ResultRecord result;
    const std::string hash(64, network);
    result.metrics = {{"fid_mini", fid, 0.25, 256, 1000, "mini-v1", hash},
                      {"recall", recall, 0.01, 256, 1000, "mini-v1", hash},
                      {"coverage", 0.25, 0.01, 256, 1000, "mini-v1", hash}};
    result.trainable_parameters = 4992;
    record.result = result;
    ledger_.finish_attempt(record);
    const auto folder = experiments::attempt_dir(folder_.path(), experiments::run_id(run), 1);
    experiments::write_attempt(folder, record);
    cluster::write_file_durably(folder / "samples.png", "picture");
  }
  // Everything that the tests below look for.
  void finish_all() {
    for (const std::uint64_t seed : {0, 1}) {
      finish(changed([&](RunConfig& run) { run.seed = seed; }), 10.0 + static_cast<double>(seed));
      finish(changed([&](RunConfig& run) {
               run.seed = seed;
               run.prompt_length = 64;
             }),
             9.0);
    }
    finish(changed([](RunConfig& run) {
             run.prompt_kind = "factorised";
             run.factors = 4;
           }),
           12.0);
    finish(changed([](RunConfig& run) { run.conditions = "both"; }), 8.0, 0.4);
    finish(changed([](RunConfig& run) {
             run.conditions = "both";
             run.marquee = "instances";
           }),
           8.2, 0.6);
    finish(changed([](RunConfig& run) {
             run.conditions = "both";
             run.marquee = "instances";
             run.marquee_space = "embedding";
           }),
           9.0, 0.6);
    finish(changed([](RunConfig& run) {
             run.method = "lora";
             run.learning_rate = 0.003;
           }),
           7.0);
    finish(changed([](RunConfig& run) { run.method = "none"; }), 40.0);
    finish(changed([](RunConfig& run) {
             run.prompt_length = 64;
             run.conditions = "instance";
           }),
           11.0);
  }
  Comparison comparison() {
    ledger_.publish();
    return load_comparison(folder_.path() / "results.sqlite");
  }
  static std::vector<std::string> names_of(const AblationFactor& factor) {
    std::vector<std::string> names;
    for (const AblationVariant& variant : factor.variants) names.push_back(variant.name);
    return names;
  }

  cluster::TemporaryFolder folder_;

 private:
  std::vector<RunConfig> with(const RunConfig& run) const {
    std::vector<RunConfig> runs = runs_;
    runs.push_back(run);
    return runs;
  }
  experiments::Ledger ledger_;
  std::vector<RunConfig> runs_;
};

TEST_F(AblationTest, FindsTheDefaultAndWhatDiffersFromItInOneFactor) {
  finish_all();
  const Comparison all = comparison();
  const Ablations found = find_ablations(all);
  std::map<std::string, std::vector<std::string>> factors;
  for (const AblationFactor& factor : found.factors) {
    std::vector<std::string> names = names_of(factor);
    std::sort(names.begin() + 1, names.end());
    factors[factor.name] = names;
  }
  EXPECT_EQ(factors,
            (std::map<std::string, std::vector<std::string>>{
                {"conditions", {"conditions=class", "conditions=both"}},
                {"marquee",
                 {"marquee=none", "conditions=both", "conditions=both, marquee=instances",
                  "conditions=both, marquee=instances, marquee_space=embedding"}},
                {"method", {"prompt", "lora", "none"}},
                {"prompt_kind", {"prompt_kind=additive", "prompt_kind=factorised, factors=4"}},
                {"prompt_length", {"prompt_length=16", "prompt_length=64"}}}));
  ASSERT_EQ(found.left_out.size(), 1U);
  EXPECT_NE(found.left_out[0].find("\"conditions\":\"instance\""), std::string::npos);
}

TEST_F(AblationTest, HoldsAMarqueeHeaderAgainstTheSameWithoutIt) {
  finish_all();
  const Comparison all = comparison();
  for (const AblationFactor& factor : find_ablations(all).factors) {
    if (factor.name != "marquee") continue;
    const std::vector<std::string> names = names_of(factor);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool header = names[i].find("marquee=instances") != std::string::npos;
      EXPECT_EQ(names[factor.without[i]], header ? "conditions=both" : "marquee=none") << names[i];
    }
  }
}

TEST_F(AblationTest, WritesTablesChartsAndSamples) {
  finish_all();
  static_cast<void>(comparison());
  const auto folder = folder_.path() / "page";
  const auto written = write_ablations(folder_.path(), "", folder);
  for (const auto& file : written) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  const std::string page = cluster::read_file(folder / "README.md", 1 << 20);
  // Two seeds: their mean and standard deviation.
  EXPECT_NE(page.find("prompt_length=16 (default) | 2 | 4992 | 10.50 ± 0.71"), std::string::npos)
      << page;
  // 2.5 % and 12.5 % worse with more recall: the first keeps the promise.
  EXPECT_NE(page.find("holds in 1 of 2 cases"), std::string::npos) << page;
  EXPECT_NE(page.find("+2.5 % | +0.200"), std::string::npos) << page;
  EXPECT_NE(page.find("(prompt_length.svg)"), std::string::npos);
  EXPECT_NE(cluster::read_file(folder / "prompt_length.svg", 1 << 20).find("<circle"),
            std::string::npos);
}

TEST_F(AblationTest, AVariantMeasuredOnAnotherNetworkIsNotCompared) {
  finish(usual(), 10);
  finish(changed([](RunConfig& run) { run.prompt_length = 4; }), 11);
  finish(changed([](RunConfig& run) { run.prompt_length = 64; }), 1, 0.5, 'c');
  const Comparison all = comparison();
  const Ablations found = find_ablations(all);
  ASSERT_EQ(found.factors.size(), 1U);
  const Table table = factor_table(found.factors[0], {"eurosat", "5"});
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::vector<std::string>& row : table.rows) rows[row.front()] = row;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_FALSE(rows.at("prompt_length=4").at(3).empty());
  EXPECT_EQ(rows.at("prompt_length=64 (measured otherwise, not compared)").at(3), "");
}

TEST_F(AblationTest, OfOneVariantIsRefused) {
  finish(usual(), 10.0);
  static_cast<void>(comparison());
  EXPECT_THROW(write_ablations(folder_.path(), "", folder_.path() / "page"), cluster::Error);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "page"));
}

TEST_F(AblationTest, DotPlotsEscapeNamesAndSkipWhatIsMissing) {
  const std::string svg =
      dot_plot({"a<b", "c"}, {{"one & two", {1.0, std::nullopt}}}, {"<title>", "x", ""});
  EXPECT_EQ(svg.find("a<b"), std::string::npos);
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_NE(svg.find("one &amp; two"), std::string::npos);
  EXPECT_EQ(dot_plot({"a"}, {{"s", {std::nullopt}}}, {"t", "x", ""}), "");
}

}  // namespace
}  // namespace marquee::analysis
