// Words become SQL, and answers of any content stay text in every format.
#include "analysis/report/query_words.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "analysis/report/comparison.h"
#include "analysis/report/named_queries.h"
#include "cluster/error.h"
#include "experiments/schema.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using testing::HasSubstr;
using testing::Not;

class QueryWords : public FinishedRuns {
 protected:
  QueryWords() {
    for (const std::string task : {"eurosat", "dtd"}) {
      for (const std::string method : {"prompt", "none"}) {
        for (const std::string shots : {"1", "5", "vtab1k"})
          finish(run_of(task, method, 0, shots), {metric_of("fid_mini", method == "none" ? 9 : 4)});
      }
    }
    ledger_.register_run(run_of("svhn", "finetune"));
    ledger_.publish();
  }
  // Rows, as text, in columns task, method, shots.
  std::vector<std::string> rows(const std::vector<std::string>& words) const {
    const std::string sql = sql_of_words(file(), words, "task,method,shots", "task");
    std::vector<std::string> found;
    for (const auto& row : nlohmann::json::parse(query_text(file(), sql, "json"))) {
      found.push_back(row["task"].get<std::string>() + " " + row["method"].get<std::string>() +
                      " " + row["shots"].get<std::string>());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string refusal(const std::vector<std::string>& words, const std::string& columns = "",
                      const std::string& order = "") const {
    try {
      query_text(file(), sql_of_words(file(), words, columns, order), "table");
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
      return error.what();
    }
    return "";
  }
};

TEST_F(QueryWords, FiltersMustAllHold) {
  using Rows = std::vector<std::string>;
  EXPECT_EQ(rows({}).size(), 13U);
  EXPECT_EQ(rows({"task=dtd", "shots<=5"}),
            (Rows{"dtd none 1", "dtd none 5", "dtd prompt 1", "dtd prompt 5"}));
  EXPECT_EQ(rows({"task=dtd", "shots=5", "method=prompt,none"}),
            (Rows{"dtd none 5", "dtd prompt 5"}));
  EXPECT_EQ(rows({"shots>1", "method!=none"}),
            (Rows{"dtd prompt 5", "eurosat prompt 5", "svhn finetune 5"}));
  EXPECT_EQ(rows({"shots=vtab1k", "method=none", "fid_mini>=9"}),
            (Rows{"dtd none vtab1k", "eurosat none vtab1k"}));
  EXPECT_EQ(rows({"fid_mini="}), (Rows{"svhn finetune 5"}));
  EXPECT_EQ(rows({"task~VH"}), (Rows{"svhn finetune 5"}));
  EXPECT_EQ(rows({"task!=dtd,eurosat"}), (Rows{"svhn finetune 5"}));
  EXPECT_EQ(rows({"runs", "status=pending"}), (Rows{"svhn finetune 5"}));
  EXPECT_EQ(rows({"best", "task=dtd"}),
            (Rows{"dtd prompt 1", "dtd prompt 5", "dtd prompt vtab1k"}));
}

TEST_F(QueryWords, ValuesAreNeverSql) {
  for (const std::string value : {"x' OR 1=1 --", "'; DROP TABLE runs; --", "\"task\"",
                                  "x'||task||'", "1 OR 1", "(SELECT 1)", "NULL", "\\", "%", "*"}) {
    EXPECT_EQ(rows({"task=" + value}), std::vector<std::string>{}) << value;
    EXPECT_EQ(rows({"task!=" + value}).size(), 13U) << value;
    EXPECT_EQ(rows({"task~" + value}), std::vector<std::string>{}) << value;
  }
}

TEST_F(QueryWords, MistypedOnesAreNamedWithTheNearest) {
  EXPECT_THAT(refusal({"tsak=dtd"}), HasSubstr("did you mean 'task'?"));
  EXPECT_THAT(refusal({"leaderbord"}), HasSubstr("did you mean 'leaderboard'?"));
  EXPECT_THAT(refusal({"cost", "method=prompt"}), HasSubstr("did you mean 'costs'?"));
  EXPECT_THAT(refusal({"task"}), HasSubstr("no question, view or table 'task'"));
  EXPECT_THAT(refusal({"task=dtd", "leaderboard"}), HasSubstr("neither SQL"));
  EXPECT_THAT(refusal({"shots<=many"}), HasSubstr("'many' behind 'shots<=' is no number"));
  EXPECT_THAT(refusal({"seed<1,2"}), HasSubstr("takes one value"));
  EXPECT_THAT(refusal({}, "task,metod"), HasSubstr("did you mean 'method'?"));
  EXPECT_THAT(refusal({}, "", "-fid_min"), HasSubstr("did you mean 'fid_mini'?"));
  EXPECT_THAT(refusal({"SELECT 1", "task=dtd"}), HasSubstr("nothing may stand behind SQL"));
  EXPECT_THAT(refusal({"SELECT 1"}, "task"), HasSubstr("SQL says its own"));
  EXPECT_THAT(refusal({"PRAGMA user_version"}), HasSubstr("SQL refused"));
  EXPECT_EQ(unknown_values_text(file(), {"task=dtdd", "method=prompt"}),
            "no task is 'dtdd' here (did you mean 'dtd'?)\n");
  EXPECT_EQ(unknown_values_text(file(), {"task=dtd", "shots=5"}), "");
}

TEST_F(QueryWords, EveryStoredQuestionIsAnswered) {
  for (const NamedQuery& query : named_queries()) {
    SCOPED_TRACE(query.name);
    EXPECT_NO_THROW(query_text(file(), sql_of_words(file(), {query.name}), "csv"));
  }
  EXPECT_EQ(
      query_text(file(), sql_of_words(file(), {"groups", "shots=1"}, "task_group,method,fid_mini"),
                 "csv"),
      "task_group,method,fid_mini\r\nnatural,prompt,4.0\r\nnatural,none,9.0\r\n"
      "specialized,prompt,4.0\r\nspecialized,none,9.0\r\n");
  EXPECT_EQ(query_text(file(),
                       sql_of_words(file(), {"against_none", "task=dtd", "shots=5"},
                                    "method,fid_mini,fid_mini_of_none,fid_mini_change"),
                       "csv"),
            "method,fid_mini,fid_mini_of_none,fid_mini_change\r\nprompt,4.0,9.0,-5.0\r\n");
}

TEST_F(QueryWords, OfAnOlderFileSayWhatMakesItNew) {
  {
    SQLite::Database database((folder_.path() / "old.sqlite").string(),
                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    for (std::size_t step = 0; step < 6; ++step) database.exec(experiments::kSchemaSteps[step]);
    database.exec("PRAGMA user_version = 6");
  }
  try {
    sql_of_words(folder_.path() / "old.sqlite", {"costs"});
    FAIL() << "answered";
  } catch (const cluster::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no such table: costs; the file has schema version 6"));
  }
  EXPECT_NO_THROW(load_comparison(folder_.path() / "old.sqlite"));
}

TEST_F(QueryWords, ColumnsThatHoldNothingAreNamed) {
  const std::string sql = sql_of_words(file(), {"task=dtd"}, "task,fid_mini,fid,shots");
  const auto text = [&](const std::string& format) {
    return query_text(file(), sql, format, {}, EmptyColumns::leave_out);
  };
  EXPECT_THAT(text("table"), HasSubstr("(6 rows; columns without a value in any row and not shown: "
                                       "fid)\n"));
  EXPECT_THAT(text("table"), HasSubstr("task  fid_mini  shots\n"));
  EXPECT_THAT(text("markdown"), HasSubstr("not shown: fid\n"));
  EXPECT_THAT(text("latex"), HasSubstr("% without a value in any row and not shown: fid\n"));
  EXPECT_THAT(text("csv"), HasSubstr("task,fid_mini,fid,shots\r\n"));
  EXPECT_THAT(text("json"), HasSubstr("\"fid\":null"));
}

// Tasks of users, error texts and names of files can be anything.
TEST_F(QueryWords, HostileTextsStayTextInEveryFormat) {
  const auto cell = [&](const std::string& text, const std::string& format) {
    std::string quoted;
    for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
    return query_text(file(), "SELECT '" + quoted + "' AS x", format);
  };
  const std::string bell = "\x1b]0;owned\x07", override = "a\u202eb";
  for (const std::string& format : query_formats()) {
    SCOPED_TRACE(format);
    EXPECT_THAT(cell(bell, format), Not(HasSubstr("\x1b")));
    EXPECT_THAT(cell(bell, format), Not(HasSubstr("\x07")));
    EXPECT_THAT(cell(override, format), Not(HasSubstr("\u202e")));
    EXPECT_NO_THROW(cell("\xff\xfe no UTF-8 \xc0\x80", format));
  }
  EXPECT_EQ(cell("=cmd|' /C calc'!A0", "csv"), "x\r\n'=cmd|' /C calc'!A0\r\n");
  for (const std::string formula : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1"})
    EXPECT_EQ(cell(formula, "csv")[3], '\'') << formula;
  EXPECT_EQ(query_text(file(), "SELECT -1.5 AS x, -3 AS y", "csv"), "x,y\r\n-1.5,-3\r\n");
  EXPECT_EQ(cell("a,\"b\"\nc", "csv"), "x\r\n\"a,\"\"b\"\"\nc\"\r\n");
  EXPECT_THAT(cell("a|b <img src=x onerror=alert(1)> ![x](http://x) `c` **d**", "markdown"),
              HasSubstr("| a\\|b \\<img src=x onerror=alert(1)\\> !\\[x\\](http://x) \\`c\\` "
                        "\\*\\*d\\*\\* |"));
  EXPECT_THAT(cell("\\input{/etc/passwd} 50% $x$ #1 a_b ~^ [h]* {", "latex"),
              HasSubstr("\\textbackslash{}input\\{/etc/passwd\\} 50\\% \\$x\\$ \\#1 a\\_b "
                        "\\textasciitilde{}\\textasciicircum{} {[}h{]}{*} \\{ \\\\\n"));
  EXPECT_THAT(cell("2 \u00b1 1", "latex"), HasSubstr("2 $\\pm$ 1 \\\\\n"));
  EXPECT_EQ(nlohmann::json::parse(cell(bell, "json"))[0]["x"], bell);
}

}  // namespace
}  // namespace marquee::analysis
