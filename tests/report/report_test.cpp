// Queries, comparison tables, plots and pages over a small published ledger.
#include "analysis/report/report.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analysis/report/comparison.h"
#include "analysis/report/plot.h"
#include "analysis/report/query.h"
#include "analysis/report/section_tables.h"
#include "analysis/report/table.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/ledger.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::analysis {
namespace {

using experiments::RunConfig;

RunConfig run_of(const std::string& method, const std::string& shots, std::uint64_t seed) {
  RunConfig run;
  run.task = "eurosat";
  run.method = method;
  run.shots = shots;
  run.seed = seed;
  return run;
}

class Results : public testing::Test {
 protected:
  Results() : ledger_(experiments::Ledger::open(folder_.path(), 1)) {
    sweep_.name = "small";
    sweep_.runs = {run_of("prompt", "5", 0), run_of("prompt", "5", 1), run_of("prompt", "20", 0),
                   run_of("none", "5", 0), run_of("oracle_real", "full", 0)};
    sweep_.sha256 = std::string(64, 'f');
    sweep_.file = "small.yaml";
  }
  void finish(const RunConfig& run, double fid,
              const std::vector<experiments::MetricValue>& more = {}) {
    experiments::AttemptRecord record = ended(run, "done");
    experiments::ResultRecord result;
    result.metrics = {{"fid_mini", fid, 0.25, 256, 1000, "mini-v0", std::string(64, 'b')}};
    result.metrics.insert(result.metrics.end(), more.begin(), more.end());
    result.trainable_parameters = 4992;
    result.seconds = 2;
    record.result = result;
    ledger_.finish_attempt(record);
    experiments::write_attempt(attempt_folder(run), record);
  }
  experiments::AttemptRecord ended(const RunConfig& run, const std::string& status) {
    experiments::AttemptRecord record;
    record.run_id = experiments::run_id(run).text();
    record.attempt = ledger_.start_attempt(experiments::run_id(run), "here", 0);
    record.epoch = 1;
    record.status = status;
    record.started = record.ended = "2026-01-01T00:00:00.000Z";
    record.run = experiments::to_json(run);
    return record;
  }
  std::filesystem::path attempt_folder(const RunConfig& run) const {
    return experiments::attempt_dir(folder_.path(), experiments::run_id(run), 1);
  }
  std::filesystem::path publish() {
    ledger_.publish();
    return folder_.path() / "results.sqlite";
  }
  std::filesystem::path small_results() {
    ledger_.register_sweep(sweep_);
    finish(sweep_.runs[0], 4.0);
    finish(sweep_.runs[1], 6.0);
    finish(sweep_.runs[3], 9.0);
    finish(sweep_.runs[4], 0.5);
    return publish();
  }
  static std::string refusal(const std::function<void()>& action) {
    try {
      action();
    } catch (const cluster::Error& error) {
      return error.what();
    }
    return "";
  }

  cluster::TemporaryFolder folder_;
  experiments::Ledger ledger_;
  experiments::SweepFile sweep_;
};

TEST_F(Results, CountTheImagesThatWereComparedWith) {
  ledger_.register_sweep(sweep_);
  // The probe was fitted to other images.
  finish(sweep_.runs[0], 4.0,
         {{"label_accuracy", 0.5, 0.1, 256, 4000, "mini-v0", std::string(64, 'b')}});
  const Comparison comparison = load_comparison(publish());
  EXPECT_EQ(counting_text(comparison).find("256 generated images a run against 1000 test images"),
            0U)
      << counting_text(comparison);
  EXPECT_NE(counting_text(comparison).find("trained for 300 steps of 32 images"),
            std::string::npos);
}

// Numbers of two protocols never stand in one column, and an empty cell says why.
TEST_F(Results, ProtocolsHaveTablesOfTheirOwn) {
  ledger_.register_sweep(sweep_);
  const std::string mini(64, 'b'), inception(64, 'c');
  finish(sweep_.runs[0], 4.0, {{"memorisation", 0.1, 0.01, 256, 1000, "mini-v0", mini}});
  finish(sweep_.runs[3], 9.0);
  experiments::EvaluationRecord outside;
  outside.task = "eurosat";
  outside.shots = "5";
  const auto enter = [&](const std::string& name, const std::string& protocol,
                         const std::string& network, const std::string& metric, double value) {
    outside.name = name;
    outside.protocol = protocol;
    outside.network_hash = network;
    outside.metrics = {{metric, value, std::nullopt, 64, 1000, protocol, network}};
    ledger_.enter_evaluation(outside);
  };
  enter("GAN", "mini-v0", mini, "fid_mini", 7.5);
  enter("GAN", "clean-fid", inception, "fid", 77);
  enter("Other", "clean-fid", inception, "fid", 66);
  enter("GAN", "pytorch-fid", inception, "fid", 55);
  const Comparison comparison = load_comparison(publish());
  std::map<std::string, Table> tables;
  for (const Section& section : sections_of(comparison))
    tables[section.title] = section_table(comparison, section);
  ASSERT_EQ(tables.size(), 3U);
  const Table& own = tables.at("eurosat, protocol mini-v0");
  const std::vector<std::string> expected{"shots",        "method",     "seeds",  "fid_mini",
                                          "memorisation", "parameters", "seconds"};
  EXPECT_EQ(own.header, expected);
  const auto row = std::find_if(own.rows.begin(), own.rows.end(),
                                [](const auto& cells) { return cells.at(1) == "GAN"; });
  ASSERT_NE(row, own.rows.end());
  EXPECT_EQ(row->at(3).substr(0, 3), "7.5");
  EXPECT_EQ(tables.at("eurosat, protocol clean-fid").rows.size(), 2U);
  EXPECT_EQ(tables.at("eurosat, protocol pytorch-fid").rows.size(), 1U);
  const std::string why = empty_cells_text(comparison, sections_of(comparison).front());
  EXPECT_NE(why.find("memorisation of none (compares with the images tuned on"), std::string::npos)
      << why;
  EXPECT_NE(why.find("memorisation of GAN (not asked for"), std::string::npos) << why;
}

TEST_F(Results, AnswerInThreeForms) {
  const auto database = small_results();
  const std::string sql =
      "SELECT method, seed, fid_mini, recall FROM results WHERE method = 'none'";
  EXPECT_EQ(query_text(database, sql, "csv"), "method,seed,fid_mini,recall\r\nnone,0,9.0,\r\n");
  EXPECT_EQ(nlohmann::json::parse(query_text(database, sql, "json")),
            nlohmann::json::parse(R"([{"method":"none","seed":0,"fid_mini":9.0,"recall":null}])"));
  EXPECT_EQ(query_text(database, sql, "table"),
            "method  seed  fid_mini  recall\n------  ----  --------  ------\n"
            "none       0         9\n(1 row)\n");
}

TEST_F(Results, KeepEveryDigitInCsvAndJson) {
  const auto database = small_results();
  const std::string sql = "SELECT 0.1 + 0.2 AS x, 'a,\"b\"' AS y";
  EXPECT_EQ(query_text(database, sql, "csv"), "x,y\r\n0.30000000000000004,\"a,\"\"b\"\"\"\r\n");
  EXPECT_EQ(nlohmann::json::parse(query_text(database, sql, "json"))[0]["x"], 0.1 + 0.2);
}

TEST_F(Results, RefuseWhatIsNotOneReadingStatement) {
  const auto database = small_results();
  for (const char* sql :
       {"DELETE FROM runs", "SELECT 1; SELECT 2", "ATTACH '/tmp/x.db' AS x", "", "SELEC 1",
        "SELECT * FROM nowhere", "PRAGMA user_version = 3", "CREATE TABLE x (a)"}) {
    EXPECT_NE(refusal([&] { query_text(database, sql, "table"); }), "") << sql;
  }
  EXPECT_EQ(query_text(database, "SELECT count(*) AS n FROM runs", "csv"), "n\r\n5\r\n");
}

TEST_F(Results, SuggestTheNearestFormat) {
  const auto database = small_results();
  EXPECT_NE(refusal([&] { query_text(database, "SELECT 1", "jsno"); }).find("'json'"),
            std::string::npos);
}

TEST_F(Results, OfADamagedFileAreRefusedByName) {
  const auto file = folder_.path() / "broken.sqlite";
  cluster::write_file_durably(file, std::string(5000, 'z'));
  EXPECT_NE(refusal([&] { query_text(file, "SELECT 1", "csv"); }).find("broken.sqlite"),
            std::string::npos);
}

TEST_F(Results, AreMeansOverSeedsWithTheirDeviation) {
  const Comparison comparison = load_comparison(small_results(), "small");
  const ComparisonRow& prompt = comparison.rows.at(0);
  EXPECT_EQ(prompt.method, "prompt");
  EXPECT_EQ(prompt.shots, "5");
  EXPECT_DOUBLE_EQ(prompt.metrics.at("fid_mini").mean, 5.0);
  EXPECT_DOUBLE_EQ(prompt.metrics.at("fid_mini").spread, std::sqrt(2.0));
  EXPECT_EQ(prompt.finished.size(), 2u);
}

TEST_F(Results, OfOneSeedCarryTheStandardError) {
  const Comparison comparison = load_comparison(small_results(), "small");
  EXPECT_EQ(comparison.rows.at(1).method, "none");
  EXPECT_DOUBLE_EQ(comparison.rows.at(1).metrics.at("fid_mini").spread, 0.25);
}

TEST_F(Results, StandInTheOrderOfShotsMethodsAndOraclesLast) {
  const Comparison comparison = load_comparison(small_results(), "small");
  std::vector<std::string> order;
  for (const ComparisonRow& row : comparison.rows) order.push_back(row.shots + " " + row.method);
  EXPECT_EQ(order,
            (std::vector<std::string>{"5 prompt", "5 none", "20 prompt", "full oracle_real"}));
  EXPECT_EQ(comparison.rows.at(2).unfinished, 1);
  EXPECT_TRUE(comparison.rows.at(2).metrics.empty());
}

TEST_F(Results, OfOwnTasksStandTogether) {
  sweep_.runs.clear();
  for (const char* method : {"prompt", "none"}) {
    for (const char* task : {"folder/b", "folder/a", "eurosat"}) {
      sweep_.runs.push_back(run_of(method, "5", 0));
      sweep_.runs.back().task = task;
    }
  }
  ledger_.register_sweep(sweep_);
  for (const RunConfig& run : sweep_.runs) finish(run, 4.0);
  std::vector<std::string> tasks;
  for (const ComparisonRow& row : load_comparison(publish(), "small").rows)
    tasks.push_back(row.task);
  EXPECT_EQ(tasks, (std::vector<std::string>{"eurosat", "eurosat", "folder/a", "folder/a",
                                             "folder/b", "folder/b"}));
}

TEST_F(Results, NameTheKeysInWhichConfigurationsDiffer) {
  RunConfig longer = run_of("prompt", "5", 0);
  longer.prompt_length = 16;
  sweep_.runs.push_back(longer);
  const Comparison comparison = load_comparison(small_results(), "small");
  std::vector<std::string> names;
  for (const ComparisonRow& row : comparison.rows)
    if (row.method == "prompt" && row.shots == "5") names.push_back(row.name());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"prompt (prompt_length=16)", "prompt (prompt_length=8)"}));
}

TEST_F(Results, OfAnotherSweepStayOut) {
  ledger_.register_run(run_of("scratch", "5", 0));
  const auto database = small_results();
  const auto has_scratch = [](const Comparison& comparison) {
    return std::any_of(comparison.rows.begin(), comparison.rows.end(),
                       [](const ComparisonRow& row) { return row.method == "scratch"; });
  };
  EXPECT_FALSE(has_scratch(load_comparison(database, "small")));
  EXPECT_TRUE(has_scratch(load_comparison(database)));
}

TEST_F(Results, ArePrintedAtTheEndOfASweepWithTheirCounts) {
  const std::string text = comparison_text(small_results(), "small");
  EXPECT_NE(text.find("5.0 ± 1.4"), std::string::npos) << text;
  EXPECT_NE(text.find("256 generated images"), std::string::npos) << text;
  EXPECT_NE(text.find("4 done, 1 pending"), std::string::npos) << text;
}

TEST_F(Results, BecomeAPageThatEscapesWhatItQuotes) {
  small_results();
  experiments::AttemptRecord record = ended(run_of("prompt", "20", 0), "failed");
  record.cause.kind = "crash";
  record.cause.message = "<script>alert('no')</script>";
  ledger_.finish_attempt(record);
  publish();
  const auto written = write_report(folder_.path());
  ASSERT_EQ(written.size(), 3u);
  const std::string page = cluster::read_file(folder_.path() / "report/index.html", 1 << 20);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert"), std::string::npos);
  EXPECT_NE(page.find("fid_mini"), std::string::npos);
  const std::string table = cluster::read_file(folder_.path() / "report/table.md", 1 << 20);
  EXPECT_NE(table.find("| 5 | prompt | 2 | 5.0 ± 1.4 |"), std::string::npos) << table;
}

TEST_F(Results, SurviveDamagedCurvesAndShowGoodOnesAndPictures) {
  small_results();
  cluster::write_file_durably(attempt_folder(sweep_.runs[0]) / "curves.json", "{\"steps\": [1,");
  cluster::write_file_durably(attempt_folder(sweep_.runs[0]) / "samples.png", "picture");
  cluster::write_file_durably(attempt_folder(sweep_.runs[3]) / "curves.json",
                              R"({"steps": [1, 2, 3], "loss": [3.0, 2.0, 1.0]})");
  write_report(folder_.path());
  const std::string page = cluster::read_file(folder_.path() / "report/index.html", 1 << 20);
  EXPECT_NE(page.find("<polyline"), std::string::npos);
  const std::string link =
      "images/" + experiments::run_id(sweep_.runs[0]).text().substr(0, 12) + "-1.png";
  EXPECT_NE(page.find(link), std::string::npos);
  EXPECT_EQ(cluster::read_file(folder_.path() / "report" / link, 100), "picture");
}

TEST(Tables, AlignTextBeyondAscii) {
  EXPECT_EQ(aligned_text({{"a", "b"}, {{"± 1", "2"}, {"x", "10"}}, {false, true}}),
            "a     b\n---  --\n± 1   2\nx    10\n");
}

TEST(Tables, EscapeBarsInMarkdown) {
  EXPECT_EQ(markdown_text({{"a"}, {{"x|y\nz"}}, {false}}), "| a |\n| --- |\n| x\\|y\\\\nz |\n");
}

TEST(LinePlot, LegendsBreakIntoLinesAndShortenNames) {
  const auto height = [](const std::string& svg) {
    return std::stod(svg.substr(svg.find(' ', svg.find("viewBox=\"0 0 ") + 13)));
  };
  std::vector<PlotLine> lines{{"a", {{1, 5}, {2, 5}}}};
  const double one = height(line_plot(lines, {}));
  lines.push_back({std::string(56, 'b'), {{1, 5}}});
  EXPECT_GT(height(line_plot(lines, {})), one);
  lines.push_back({std::string(400, 'c'), {{1, 5}}});
  const std::string svg = line_plot(lines, {});
  EXPECT_EQ(svg.find(std::string(100, 'c')), std::string::npos);
  EXPECT_NE(svg.find("ccc…"), std::string::npos);
}

TEST(LinePlot, IsEmptyWithoutPoints) {
  EXPECT_EQ(line_plot({{"a", {}}}, {}), "");
}

TEST(LinePlot, EscapesNamesAndStandsConstantValues) {
  const std::string svg = line_plot({{"<a&b>", {{1, 5}, {2, 5}}}}, {"t", "x", "y", true, true});
  EXPECT_NE(svg.find("&lt;a&amp;b"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

}  // namespace
}  // namespace marquee::analysis
