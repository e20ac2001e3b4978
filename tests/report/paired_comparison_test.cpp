// Which runs are paired, what is refused and why, and what comes out.
#include "analysis/report/paired_comparison.h"

#include <sstream>

#include <gmock/gmock.h>

#include "analysis/report/comparison.h"
#include "cluster/error.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using experiments::MetricValue;
using experiments::RunConfig;
using testing::HasSubstr;

class PairedComparison : public FinishedRuns {
 protected:
  std::vector<SideComparison> compared(const std::vector<std::string>& sides,
                                       const std::set<std::string>& across = {},
                                       const std::vector<std::string>& metrics = {}) {
    ledger_.publish();
    CompareOptions options;
    options.results = file();
    options.across = across;
    options.metrics = metrics;
    return compare_sides(sides, options);
  }
  std::string refusal(const std::vector<std::string>& sides,
                      const std::set<std::string>& across = {},
                      const std::vector<std::string>& metrics = {}) {
    try {
      compared(sides, across, metrics);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << error.what();
      return error.what();
    }
    return "";
  }
  static RunConfig prompt(std::uint64_t seed, int length = 8, const std::string& task = "eurosat") {
    RunConfig run = run_of(task, "prompt", seed);
    run.prompt_length = length;
    return run;
  }
  // Six seeds of prompt and none on two tasks of two groups; on eurosat prompt is 2, 3, ... lower,
  // on dtd 1 higher.
  void two_tasks() {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto more = static_cast<double>(seed);
      finish(run_of("eurosat", "none", seed), {metric_of("fid_mini", 20)});
      finish(prompt(seed), {metric_of("fid_mini", 18 - more)});
      finish(run_of("dtd", "none", seed), {metric_of("fid_mini", 10)});
      finish(prompt(seed, 8, "dtd"), {metric_of("fid_mini", 11)});
    }
  }
};

TEST_F(PairedComparison, IsOverTaskShotsAndSeed) {
  two_tasks();
  const auto all = compared({"none", "prompt"});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].pairs, 12U);
  EXPECT_EQ(all[0].tasks, 2U);
  EXPECT_TRUE(all[0].unpaired.empty());
  ASSERT_EQ(all[0].metrics.size(), 1U);
  const MetricComparison& fid = all[0].metrics[0];
  EXPECT_EQ(fid.metric, "fid_mini");
  EXPECT_TRUE(fid.lower_is_better);
  EXPECT_NEAR(fid.mean_first, 15, 1e-12);
  EXPECT_NEAR(fid.mean_other, (15.5 + 11) / 2, 1e-12);
  EXPECT_NEAR(fid.pairs.mean, (-4.5 + 1) / 2, 1e-12);
  EXPECT_EQ(fid.pairs.wins, 6U);
  EXPECT_EQ(fid.pairs.losses, 6U);
  EXPECT_EQ(fid.tasks.pairs, 2U);
  EXPECT_NEAR(fid.tasks.mean, (-4.5 + 1) / 2, 1e-12);
  ASSERT_EQ(fid.groups.size(), 2U);
  EXPECT_EQ(fid.groups[0].first, "natural");
  EXPECT_NEAR(fid.groups[0].second.mean, 1, 1e-12);
  EXPECT_EQ(fid.groups[1].first, "specialized");
  EXPECT_NEAR(fid.groups[1].second.mean, -4.5, 1e-12);
  EXPECT_EQ(fid.p_holm, fid.pairs.p);
}

TEST_F(PairedComparison, LeavesOutAndNamesWhatHasNoPartner) {
  for (const std::uint64_t seed : {0, 1, 3})
    finish(run_of("eurosat", "none", seed), {metric_of("fid_mini", 20.0 + seed)});
  for (const std::uint64_t seed : {1, 2, 3, 4})
    finish(prompt(seed), {metric_of("fid_mini", 10.0 + 2.0 * seed)});
  ledger_.register_run(prompt(0));  // not finished
  const auto all = compared({"none", "prompt"});
  EXPECT_EQ(all[0].pairs, 2U);  // seeds 1 and 3
  EXPECT_NEAR(all[0].metrics[0].pairs.mean, ((12 - 21) + (16 - 23)) / 2.0, 1e-12);
  EXPECT_THAT(all[0].unpaired,
              testing::UnorderedElementsAre("none: none, eurosat, 5 shots, seed 0",
                                            "prompt: prompt, eurosat, 5 shots, seed 2",
                                            "prompt: prompt, eurosat, 5 shots, seed 4"));
  EXPECT_THAT(compare_text(all, "table"), HasSubstr("3 runs have no partner"));
}

TEST_F(PairedComparison, WantsOneConfigurationForAMethod) {
  finish(run_of("eurosat", "none"), {metric_of("fid_mini", 20)});
  finish(prompt(0, 8), {metric_of("fid_mini", 10)});
  finish(prompt(0, 16), {metric_of("fid_mini", 12)});
  EXPECT_THAT(refusal({"none", "prompt"}),
              HasSubstr("side 'prompt' holds 2 runs of eurosat, 5 shots, seed 0, which differ in "
                        "prompt_length ("));
  EXPECT_THAT(refusal({"none", "prompt"}), HasSubstr("\"method=prompt prompt_length="));
  const auto named =
      compared({"method=prompt prompt_length=8", "method=prompt prompt_length=16", "none"});
  ASSERT_EQ(named.size(), 2U);
  EXPECT_EQ(named[0].metrics[0].pairs.mean, 2);
  EXPECT_EQ(named[1].metrics[0].pairs.mean, 10);
}

TEST_F(PairedComparison, RefusesWhatWasMadeDifferentlyUnlessTold) {
  const MetricValue usual = metric_of("fid_mini", 10);
  finish(run_of("eurosat", "none"), {usual});
  const auto against = [&](RunConfig run, MetricValue metric, const std::string& condition,
                           const std::string& how) {
    SCOPED_TRACE(condition);
    finish(run, {metric});
    const std::vector<std::string> sides{"none", id_of(run)};
    EXPECT_THAT(refusal(sides), HasSubstr(condition + " differs in 1 of 1 pairs (" + how + ")"));
    EXPECT_THAT(refusal(sides), HasSubstr("--across " + condition));
    EXPECT_EQ(compared(sides, {condition})[0].across.size(), 1U);
    EXPECT_THAT(compare_text(compared(sides, {condition}), "table"), HasSubstr("ATTENTION"));
  };
  RunConfig run = prompt(0, 1);
  run.base = "other";
  against(run, usual, "base", "mini  and other ");
  run = prompt(0, 2);
  run.protocol = "mini-v1";
  MetricValue metric = usual;
  metric.protocol = "mini-v1";
  against(run, metric, "protocol", "mini-v0 and mini-v1");
  run = prompt(0, 3);
  run.reference = "val";
  against(run, usual, "reference", "test and val");
  metric = usual;
  metric.n_generated = 8;
  against(prompt(0, 4), metric, "n_generated", "256 and 8");
  metric = usual;
  metric.n_reference = 9;
  against(prompt(0, 5), metric, "n_reference", "1000 and 9");
  metric = usual;
  metric.network_hash = std::string(64, 'c');
  against(prompt(0, 6), metric, "network", "bbbbbbbb and cccccccc");
  run = prompt(0, 7);
  run.numerics_version = 3;
  against(run, usual, "numerics", "1 and 3");
  EXPECT_THAT(refusal({"none", id_of(run)}, {"protocl"}), HasSubstr("did you mean 'protocol'?"));
}

TEST_F(PairedComparison, OfDatabasesPairsTheSameConfigurations) {
  two_tasks();
  ledger_.publish();
  const cluster::TemporaryFolder elsewhere;
  experiments::Ledger other = experiments::Ledger::open(elsewhere.path(), 1);
  for (std::uint64_t seed = 0; seed < 6; ++seed)
    finish_run(other, run_of("eurosat", "none", seed), {metric_of("fid_mini", 21)});
  finish_run(other, prompt(2), {metric_of("fid_mini", 17.5)});
  other.publish();
  CompareOptions options;
  const auto all = compare_sides({folder_.path().string(), elsewhere.path().string()}, options);
  EXPECT_EQ(all[0].pairs, 7U);
  EXPECT_NEAR(all[0].metrics[0].pairs.mean, (6 * 1 + 1.5) / 7, 1e-12);
  EXPECT_EQ(all[0].unpaired.size(), 17U);
  const auto narrowed = compare_sides(
      {folder_.path().string() + " none", elsewhere.path().string() + " none"}, options);
  EXPECT_EQ(narrowed[0].pairs, 6U);
}

TEST_F(PairedComparison, AdjustsOverAllThatIsShown) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const auto more = 0.1 * static_cast<double>(seed);
    finish(run_of("eurosat", "none", seed), {metric_of("fid_mini", 20), metric_of("recall", 0.5)});
    finish(prompt(seed), {metric_of("fid_mini", 15 + more), metric_of("recall", 0.6 + more)});
    finish(run_of("eurosat", "finetune", seed),
           {metric_of("fid_mini", 14 + more), metric_of("recall", 0.55 - more)});
  }
  const auto all = compared({"none", "prompt", "finetune"});
  ASSERT_EQ(all.size(), 2U);
  const double least = 2.0 / 64;  // all six signs alike
  EXPECT_NEAR(all[0].metrics[0].pairs.p.value(), least, 1e-12);
  EXPECT_NEAR(all[0].metrics[0].p_holm, 4 * least, 1e-12);
  EXPECT_EQ(all[0].metrics[1].metric, "recall");
  EXPECT_FALSE(all[0].metrics[1].lower_is_better);
  EXPECT_EQ(all[0].metrics[1].pairs.wins, 6U);
  EXPECT_EQ(compared({"none", "prompt"}, {}, {"recall"})[0].metrics.size(), 1U);
  EXPECT_THAT(refusal({"none", "prompt"}, {}, {"recal"}), HasSubstr("did you mean 'recall'?"));
  EXPECT_THAT(refusal({"none", "prompt"}, {}, {"fid"}), HasSubstr("those have fid_mini, recall"));
}

TEST_F(PairedComparison, NamesSidesThatAreNone) {
  two_tasks();
  EXPECT_THAT(refusal({"none"}), HasSubstr("two sides or more"));
  EXPECT_THAT(refusal({"none", "promt"}), HasSubstr("did you mean 'prompt'?"));
  EXPECT_THAT(refusal({"none", "method=prompt taks=dtd"}), HasSubstr("did you mean 'task'?"));
  EXPECT_THAT(refusal({"none", "method=prompt task=dtt"}), HasSubstr("did you mean 'dtd'?"));
  EXPECT_THAT(refusal({"none", std::string(64, 'e')}), HasSubstr("holds no finished run"));
  EXPECT_THAT(refusal({"none", "finetune"}), HasSubstr("holds no finished run"));
  EXPECT_THAT(refusal({"none", ""}), HasSubstr("a side is empty"));
  EXPECT_THAT(refusal({"none", "task=x' OR '1'='1"}), HasSubstr("is no filter"));
}

TEST_F(PairedComparison, KnowsWhichWayEachMetricIsBetter) {
  std::vector<experiments::MetricValue> values;
  for (const std::string& metric : metric_names()) values.push_back(metric_of(metric, 1));
  finish(run_of("eurosat", "none"), values);
  for (experiments::MetricValue& value : values) value.value = 2;
  finish(prompt(0), values);
  std::vector<std::string> lower;
  const auto all = compared({"none", "prompt"});
  for (const MetricComparison& metric : all[0].metrics) {
    if (metric.lower_is_better) lower.push_back(metric.metric);
    EXPECT_EQ(metric.pairs.wins, metric.lower_is_better ? 0 : 1) << metric.metric;
  }
  EXPECT_THAT(lower, testing::UnorderedElementsAre("fid_mini", "kid_mini", "fid", "sfid",
                                                   "fid_infinity", "kid", "memorisation"));
}

TEST_F(PairedComparison, LeavesHostileNamesText) {
  two_tasks();
  auto all = compared({"none", "prompt"});
  all[0].other = "<img src=x onerror=y> & [a](b)";
  all[0].unpaired = {"\\write18{x}: `<script>`"};
  const std::string markdown = compare_text(all, "markdown");
  EXPECT_THAT(markdown, HasSubstr("\\<img src=x onerror=y\\> \\& \\[a\\](b) against none"));
  EXPECT_THAT(markdown, HasSubstr("\\`\\<script\\>\\`"));
  // In LaTeX sentences are comments, and names in tables are escaped.
  std::istringstream lines(compare_text(all, "latex"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("%")) continue;
    EXPECT_EQ(line.find("\\write18"), std::string::npos) << line;
    EXPECT_EQ(line.find("<img"), std::string::npos) << line;
  }
}

TEST_F(PairedComparison, IsShownInEveryFormat) {
  two_tasks();
  const auto all = compared({"none", "prompt"});
  EXPECT_THAT(compare_text(all, "table"),
              HasSubstr("prompt against none: 12 pairs of the same task, shots and seed, 2 tasks"));
  EXPECT_THAT(compare_text(all, "markdown"), HasSubstr("| fid_mini |"));
  EXPECT_THAT(compare_text(all, "latex"), HasSubstr("fid\\_mini & lower & "));
  const nlohmann::json content = to_json(all)[0];
  EXPECT_EQ(content["metrics"][0]["over_pairs"]["wins"], 6);
  EXPECT_EQ(content["metrics"][0]["over_tasks"]["pairs"], 2);
  EXPECT_EQ(content["metrics"][0]["groups"]["natural"]["mean"], 1);
}

}  // namespace
}  // namespace marquee::analysis
