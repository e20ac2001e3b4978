#include "analysis/report/condition.h"

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "experiments/ledger.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::analysis {
namespace {

// The words of a refusal; fails the test when the condition is accepted.
std::string refusal(const std::string& condition) {
  try {
    enclosed_condition(condition);
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << condition;
  return "";
}

TEST(EnclosedCondition, StaysInItsParentheses) {
  EXPECT_EQ(enclosed_condition("seed = 0"), "(seed = 0)");
  EXPECT_EQ(enclosed_condition("(a OR b) AND c IN (1, 2)"), "((a OR b) AND c IN (1, 2))");
}

TEST(EnclosedCondition, LooksPastQuotations) {
  for (const char* condition :
       {"task = ')'", "task = 'it''s; -- (fine)'", "\"a)b\" = 1", "`;` = 1", "[/*] = 1"})
    EXPECT_NO_THROW(enclosed_condition(condition)) << condition;
}

TEST(EnclosedCondition, IsRefusedWhenItWouldLeave) {
  EXPECT_NE(refusal("1) OR (1").find("did not open"), std::string::npos);
  EXPECT_NE(refusal("1) UNION SELECT run_id FROM runs --").find("did not open"), std::string::npos);
  EXPECT_NE(refusal("(1").find("leaves a parenthesis open"), std::string::npos);
  EXPECT_NE(refusal("1 -- ").find("comment"), std::string::npos);
  EXPECT_NE(refusal("1 /* ").find("comment"), std::string::npos);
  EXPECT_NE(refusal("1; DROP TABLE runs").find("semicolon"), std::string::npos);
  EXPECT_NE(refusal("task = 'open").find("no end"), std::string::npos);
  EXPECT_NE(refusal(std::string("1\0) OR (1", 9)).find("NUL"), std::string::npos);
  EXPECT_NE(refusal(" \n").find("empty"), std::string::npos);
}

TEST(RunsWhere, FindsRunsByTheColumnsOfTheView) {
  const cluster::TemporaryFolder folder;
  experiments::Ledger ledger = experiments::Ledger::open(folder.path(), 1);
  std::vector<std::string> ids;
  for (const std::uint64_t seed : {0, 1, 2}) {
    experiments::RunConfig run;
    run.task = "eurosat";
    run.shots = "5";
    run.method = "prompt";
    run.seed = seed;
    ledger.register_run(run);
    ids.push_back(experiments::run_id(run).text());
  }
  ledger.publish();
  const auto database = folder.path() / "results.sqlite";
  EXPECT_EQ(runs_where(database, "1"), ids);
  EXPECT_EQ(runs_where(database, "seed = 1 OR seed = 2 AND status = 'pending'"),
            (std::vector<std::string>{ids[1], ids[2]}));
  EXPECT_TRUE(runs_where(database, "seed > 5").empty());
  EXPECT_THROW(runs_where(database, "colour = 1"), cluster::Error);
  EXPECT_THROW(runs_where(database, "1 GROUP BY"), cluster::Error);
}

}  // namespace
}  // namespace marquee::analysis
