// The main table: which numbers stand in it, their intervals, marks and reasons.
#include "analysis/report/main_table.h"

#include <cmath>

#include "analysis/report/few_shot_curves.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

class MainTables : public FinishedRuns {
 protected:
  void measured(const std::string& task, const std::string& method, std::uint64_t seed, double fid,
                const std::string& shots = "5", double error = 0.5) {
    finish(run_of(task, method, seed, shots), {metric_of("fid_mini", fid, error)});
  }
  MainTable table() {
    ledger_.publish();
    comparison_ = load_comparison(file());
    const std::vector<MainTable> tables = main_tables(comparison_);
    EXPECT_FALSE(tables.empty());
    return tables.front();
  }
  static std::size_t column(const MainTable& table, const std::string& title, bool mean = false) {
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      if (table.columns[i].title == title && table.columns[i].is_mean == mean) return i;
    ADD_FAILURE() << "no column " << title;
    return 0;
  }
  static const MainRow& row(const MainTable& table, const std::string& name,
                            const std::string& shots = "5") {
    for (const MainRow& row : table.rows)
      if (row.name == name && row.shots == shots) return row;
    ADD_FAILURE() << "no row " << name;
    return table.rows.front();
  }

  Comparison comparison_;
};

TEST_F(MainTables, TasksStandByGroupsWithTheirMeansBehindThem) {
  for (const char* task : {"eurosat", "dtd", "caltech101", "dsprites_location", "drawn/digits"})
    measured(task, "prompt", 0, 5);
  const MainTable made = table();
  std::vector<std::string> titles;
  for (const MainColumn& column : made.columns)
    titles.push_back((column.is_mean ? "mean " : "") + column.title);
  EXPECT_EQ(titles, (std::vector<std::string>{"caltech101", "dtd", "mean natural", "eurosat",
                                              "dsprites_location", "drawn/digits", "mean all"}));
}

TEST_F(MainTables, IntervalsAreStudentsOverSeeds) {
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    measured("eurosat", "prompt", seed, 10.0 + static_cast<double>(seed));
  const MainTable made = table();
  const MainCell& cell = row(made, "prompt").cells[column(made, "eurosat")];
  EXPECT_EQ(cell.seeds, 3);
  EXPECT_DOUBLE_EQ(*cell.mean, 11.0);
  // t(0.975, 2) = 4.302653, standard deviation 1, three seeds.
  EXPECT_NEAR(cell.interval->high - 11.0, 4.302653 / std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(11.0 - cell.interval->low, 4.302653 / std::sqrt(3.0), 1e-5);
  EXPECT_EQ(mean_text(cell), "11.0");
  EXPECT_EQ(interval_text(cell), "[8.5, 13.5]");
}

TEST_F(MainTables, OfOneSeedTheStandardErrorSaysHowExactlyItWasMeasured) {
  measured("eurosat", "prompt", 0, 10, "5", 0.5);
  const MainTable made = table();
  const MainCell& cell = row(made, "prompt").cells[column(made, "eurosat")];
  EXPECT_NEAR(cell.interval->high - cell.interval->low, 2 * 1.959964 * 0.5, 1e-5);
}

TEST_F(MainTables, BestIsMarkedAmongTheSameShotsAndOraclesAreNone) {
  measured("eurosat", "prompt", 0, 10, "5", 0.1);
  measured("eurosat", "finetune", 0, 10.3, "5", 0.1);
  measured("eurosat", "none", 0, 80, "5", 0.1);
  measured("eurosat", "prompt", 0, 4, "20", 0.1);
  measured("eurosat", "oracle_real", 0, 0.5, "full");
  measured("eurosat", "oracle_reconstruction", 0, 5, "full");
  const MainTable made = table();
  const std::size_t at = column(made, "eurosat");
  EXPECT_TRUE(row(made, "prompt").cells[at].best);
  EXPECT_FALSE(row(made, "prompt").cells[at].close);
  EXPECT_TRUE(row(made, "finetune").cells[at].close) << "their intervals overlap";
  EXPECT_FALSE(row(made, "none").cells[at].close);
  EXPECT_FALSE(row(made, "prompt", "20").cells[at].best) << "alone, it is no better than anything";
  EXPECT_FALSE(row(made, "oracle_real", "").cells[at].best);
  EXPECT_FALSE(row(made, "oracle_reconstruction", "").cells[at].best);
  EXPECT_EQ(made.rows.back().name, "oracle_reconstruction");
}

TEST_F(MainTables, HigherIsBetterWhereTheMetricSaysSo) {
  const auto run = [&](const char* method, double recall) {
    finish(run_of("eurosat", method), {metric_of("recall", recall, 0.001)});
  };
  run("prompt", 0.4);
  run("none", 0.2);
  const MainTable made = table();
  EXPECT_EQ(made.metric, "recall");
  EXPECT_TRUE(row(made, "prompt").cells[0].best);
}

TEST_F(MainTables, AMeanNeedsEveryTaskOfItsGroup) {
  measured("dtd", "prompt", 0, 10);
  measured("caltech101", "prompt", 0, 20);
  measured("dtd", "none", 0, 30);
  const MainTable made = table();
  const std::size_t mean = column(made, "natural", true);
  EXPECT_DOUBLE_EQ(*row(made, "prompt").cells[mean].mean, 15);
  const MainCell& missing = row(made, "none").cells[mean];
  EXPECT_FALSE(missing.mean);
  EXPECT_EQ(missing.why, "numbers for 1 of 2 tasks");
}

TEST_F(MainTables, AMeansIntervalIsOverTheSeedsThatAllTasksHave) {
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    measured("dtd", "prompt", seed, 10.0 + static_cast<double>(seed));
  for (std::uint64_t seed = 0; seed < 2; ++seed)
    measured("caltech101", "prompt", seed, 20.0 + 3 * static_cast<double>(seed));
  const MainTable made = table();
  const MainCell& cell = row(made, "prompt").cells[column(made, "natural", true)];
  EXPECT_EQ(cell.seeds, 2);
  EXPECT_DOUBLE_EQ(*cell.mean, (15.0 + 17.0) / 2);
  // t(0.975, 1) = 12.7062, standard deviation sqrt(2), two seeds.
  EXPECT_NEAR(cell.interval->high - *cell.mean, 12.7062, 1e-3);
}

TEST_F(MainTables, EmptyCellsSayWhy) {
  measured("eurosat", "prompt", 0, 10);
  measured("dtd", "none", 0, 10);
  ledger_.register_run(run_of("dtd", "prompt"));
  const MainTable made = table();
  EXPECT_EQ(row(made, "prompt").cells[column(made, "dtd")].why, "pending");
  EXPECT_EQ(row(made, "none").cells[column(made, "eurosat")].why, "not in these sweeps");
  const std::vector<std::string> reasons = empty_reasons(made);
  const std::string text = main_table_markdown(made);
  for (const std::string& reason : reasons)
    EXPECT_NE(text.find(reason), std::string::npos) << reason << "\n" << text;
  EXPECT_EQ(empty_mark(reasons, row(made, "prompt").cells[column(made, "eurosat")]), "");
}

TEST_F(MainTables, ProtocolsAndNetworksHaveTablesOfTheirOwn) {
  measured("eurosat", "prompt", 0, 10);
  experiments::RunConfig other = run_of("eurosat", "none");
  other.protocol = "clean-fid";
  finish(other, {{"fid", 50, 1.0, 256, 1000, "clean-fid", std::string(64, 'c')}});
  ledger_.publish();
  const Comparison comparison = load_comparison(file());
  const std::vector<MainTable> tables = main_tables(comparison);
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_NE(tables[0].protocol, tables[1].protocol);
  for (const MainTable& table : tables) EXPECT_EQ(table.rows.size(), 1U);
}

TEST_F(MainTables, AreWrittenForLatexWithGroupsAndMarks) {
  measured("eurosat", "prompt", 0, 10, "5", 0.1);
  measured("eurosat", "none", 0, 80, "5", 0.1);
  measured("drawn/shapes_count", "prompt", 0, 10);
  const std::string text = main_table_latex(table());
  EXPECT_NE(text.find("\\rotatebox{90}{drawn/shapes\\_count}"), std::string::npos) << text;
  EXPECT_NE(text.find("\\textbf{10.0}"), std::string::npos) << text;
  EXPECT_NE(text.find("--$^{a}$"), std::string::npos) << text;
  EXPECT_NE(text.find("$^{a}$ not in these sweeps"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
}

TEST_F(MainTables, HostileNamesStayTextInEveryForm) {
  measured("eurosat", "prompt", 0, 10);
  experiments::EvaluationRecord outside;
  outside.name = "\\input{/etc/passwd} & 5 % $x$ | <b> [a](b)";
  outside.task = "eurosat";
  outside.shots = "5";
  outside.protocol = run_of("eurosat", "prompt").protocol;
  outside.network_hash = kNetwork;
  outside.metrics = {metric_of("fid_mini", 3)};
  ledger_.enter_evaluation(outside);
  const MainTable made = table();
  ASSERT_EQ(made.rows.size(), 2U);
  const std::string latex = main_table_latex(made);
  EXPECT_EQ(latex.find("\\input"), std::string::npos);
  EXPECT_NE(latex.find("\\textbackslash{}input\\{/etc/passwd\\} \\& 5 \\% \\$x\\$"),
            std::string::npos)
      << latex;
  const std::string markdown = main_table_markdown(made);
  EXPECT_NE(markdown.find("\\| \\<b\\> \\[a\\](b)"), std::string::npos) << markdown;
  const std::string html = main_table_html(made);
  EXPECT_EQ(html.find("<b>"), std::string::npos);
}

TEST_F(MainTables, CurvesAreOfTasksWithSeveralNumbersOfShots) {
  measured("eurosat", "prompt", 0, 10, "1");
  measured("eurosat", "prompt", 0, 8, "5");
  measured("dtd", "prompt", 0, 8, "5");
  const std::vector<std::string> curves = few_shot_curves(table());
  ASSERT_EQ(curves.size(), 1U);
  EXPECT_NE(curves[0].find("eurosat: fid_mini"), std::string::npos);
  EXPECT_NE(curves[0].find("stroke-opacity"), std::string::npos) << "intervals are bars";
}

TEST_F(MainTables, TwoConfigurationsOfAMethodMakeNoLine) {
  measured("eurosat", "prompt", 0, 10, "1");
  for (const int length : {4, 16}) {
    experiments::RunConfig run = run_of("eurosat", "prompt");
    run.prompt_length = length;
    finish(run, {metric_of("fid_mini", length)});
  }
  EXPECT_TRUE(few_shot_curves(table()).empty());
}

}  // namespace
}  // namespace marquee::analysis
