// SQL from strangers, and database files from strangers: refused with a name, nothing changed,
// nothing that goes on for ever.
#include <algorithm>
#include <ctime>
#include <fstream>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "analysis/report/comparison.h"
#include "analysis/report/query.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "experiments/ledger.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;

class HostileSql : public testing::Test {
 protected:
  HostileSql() {
    experiments::Ledger ledger = experiments::Ledger::open(folder_.path(), 1);
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      experiments::RunConfig run;
      run.task = seed % 2 == 0 ? "eurosat" : "dtd";
      run.method = "prompt";
      run.shots = "5";
      run.seed = seed;
      ledger.register_run(run);
      ids_.push_back(experiments::run_id(run).text());
    }
    ledger.publish();
    limits_.seconds = 0.5;
  }

  // Words of the refusal; empty when the statement was answered.
  std::string refusal(const std::string& sql) const {
    try {
      query_text(file(), sql, "csv", limits_);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << sql << "\n" << error.what();
      return error.what();
    }
    return "";
  }
  std::string where_refusal(const std::string& condition) const {
    try {
      run_ids_where(file(), condition, limits_);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << condition << "\n" << error.what();
      return error.what();
    }
    return "";
  }
  fs::path file() const { return folder_.path() / "results.sqlite"; }
  // Names and contents of everything in the folder.
  std::string everything() const {
    std::vector<std::string> seen;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      seen.push_back(entry.path().filename().string() + " " +
                     cluster::sha256_hex(cluster::read_file(entry.path(), 1 << 24)));
    std::sort(seen.begin(), seen.end());
    return cluster::join(seen);
  }

  cluster::TemporaryFolder folder_;
  std::vector<std::string> ids_;
  QueryLimits limits_;
};

// Processor seconds that `work` takes: the machine may be shared.
template <typename Work>
double seconds_of(Work work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST_F(HostileSql, IsRefusedWithANameAndChangesNothing) {
  const fs::path out = folder_.path().string() + "-elsewhere.sqlite";
  const std::vector<std::pair<std::string, std::string>> statements{
      // statement, what the refusal says
      {"ATTACH '" + out.string() + "' AS x", "ATTACH"},
      {"ATTACH ':memory:' AS x", "ATTACH"},
      {"DETACH main", "changing anything"},
      {"VACUUM", "SELECT"},
      {"VACUUM INTO '" + out.string() + "'", "refused"},
      {"PRAGMA user_version = 3", "PRAGMA user_version"},
      {"PRAGMA user_version", "PRAGMA user_version"},
      {"PRAGMA writable_schema = ON", "PRAGMA writable_schema"},
      {"PRAGMA hard_heap_limit = 0", "PRAGMA hard_heap_limit"},
      {"PRAGMA temp_store_directory = '/tmp'", "PRAGMA temp_store_directory"},
      {"SELECT * FROM pragma_table_info('runs')", "refused"},
      {"SELECT * FROM pragma_database_list", "refused"},
      {"SELECT * FROM pragma_user_version", "refused"},
      {"SELECT * FROM dbstat", "refused"},
      {"SELECT * FROM sqlite_dbpage", "sqlite_dbpage"},
      {"SELECT * FROM fts3tokenize", "refused"},
      {"SELECT load_extension('/tmp/x.so')", "load_extension"},
      {"SELECT fts3_tokenizer('simple')", "fts3_tokenizer"},
      {"SELECT fts3_tokenizer('simple', x'4141414141414141')", "fts3_tokenizer"},
      {"SELECT writefile('" + out.string() + "', 'x')", "writefile"},
      {"SELECT readfile('/etc/passwd')", "readfile"},
      {"SELECT edit('x', 'vi')", "edit"},
      {"SELECT * FROM fsdir('/')", "fsdir"},
      {"SELECT rtreecheck('x')", "rtreecheck"},
      {"SELECT sqlite_compileoption_get(1)", "sqlite_compileoption_get"},
      {"SELECT run_id FROM runs WHERE load_extension('/tmp/x.so')", "load_extension"},
      {"DELETE FROM runs", "changing anything"},
      {"UPDATE runs SET status = 'done'", "changing anything"},
      {"INSERT INTO events VALUES (1, '', 1, '', '', '')", "changing anything"},
      {"REPLACE INTO sweeps VALUES ('', '', '', '')", "changing anything"},
      {"DELETE FROM runs RETURNING *", "changing anything"},
      {"WITH x AS (SELECT 1) DELETE FROM runs", "changing anything"},
      {"UPDATE sqlite_schema SET sql = ''", "refused"},
      {"CREATE TABLE x (a)", "changing anything"},
      {"CREATE TEMP TABLE x (a)", "changing anything"},
      {"CREATE TEMP VIEW x AS SELECT 1", "changing anything"},
      {"CREATE VIRTUAL TABLE x USING fts5(a)", "changing anything"},
      {"CREATE VIRTUAL TABLE temp.x USING dbstat", "changing anything"},
      {"CREATE TEMP TRIGGER t AFTER DELETE ON runs BEGIN SELECT 1; END", "changing anything"},
      {"CREATE INDEX x ON runs (seed)", "changing anything"},
      {"DROP TABLE runs", "changing anything"},
      {"DROP VIEW results", "changing anything"},
      {"ALTER TABLE runs RENAME TO x", "changing anything"},
      {"ANALYZE", "changing anything"},
      {"REINDEX", "changing anything"},
      {"BEGIN", "a transaction"},
      {"BEGIN EXCLUSIVE", "a transaction"},
      {"SAVEPOINT x", "a transaction"},
      {"COMMIT", "a transaction"},
      {"EXPLAIN DELETE FROM runs", "changing anything"},
      {"SELECT 1; DELETE FROM runs", "one statement"},
      {"SELECT 1; SELECT 2", "one statement"},
      {"SELECT 1 /* */; ; -- x\nSELECT 2", "one statement"},
      {"", "expected a SELECT"},
      {";", "expected a SELECT"},
      {"-- only a comment", "expected a SELECT"},
      {"SELECT ?", "parameters"},
      {"SELECT * FROM runs WHERE seed = :seed", "parameters"},
      {"SELECT * FROM runs WHERE \"statsu\" = 'done'", "statsu"},
      {std::string("SELECT 1\0; DELETE FROM runs", 27), "NUL"},
      {"SELECT * FROM nowhere", "nowhere"},
      {"SELEC 1", "SELEC"},
  };
  ASSERT_GE(statements.size(), 40U);
  const std::string before = everything();
  for (const auto& [sql, words] : statements) {
    const std::string said = refusal(sql);
    EXPECT_NE(said.find(words), std::string::npos) << sql << "\n  " << said;
  }
  EXPECT_EQ(everything(), before);
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(HostileSql, LeavesOrdinaryQuestionsAlone) {
  for (const char* sql :
       {"SELECT count(*) FROM results", "SELECT name FROM sqlite_schema", "VALUES (1), (2)",
        "EXPLAIN QUERY PLAN SELECT * FROM results", "SELECT * FROM leaderboard",
        "SELECT json_extract(config, '$.steps'), config ->> 'task' FROM runs",
        "SELECT key, value FROM runs, json_each(runs.config)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM "
        "n",
        "SELECT task, rank() OVER (PARTITION BY task ORDER BY seed) FROM results",
        "SELECT printf('%.3f', avg(seed)), group_concat(task) FROM runs GROUP BY method",
        "SELECT * FROM runs WHERE task LIKE '%sat' OR task GLOB 'd*' ;\n"}) {
    EXPECT_EQ(refusal(sql), "") << sql;
  }
}

TEST_F(HostileSql, ThatTakesTooLongIsStoppedAndSaysSo) {
  std::string views = "WITH v0 AS (SELECT 1 AS n)";
  for (int i = 1; i < 40; ++i) {
    const std::string below = "v" + std::to_string(i - 1);
    views += ", v" + std::to_string(i) + " AS (SELECT a.n FROM " + below + " a, " + below + " b)";
  }
  for (const std::string& sql :
       {std::string("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                    "SELECT count(*) FROM n"),
        std::string("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) "
                    "SELECT i FROM n WHERE i > 1"),
        std::string(
            "SELECT count(*) FROM runs a, runs b, runs c, runs d, runs e, runs f, runs g, "
            "runs h, runs i, runs j, runs k, runs l, runs m, runs n, runs o, runs p, runs q")}) {
    std::string said;
    EXPECT_LT(seconds_of([&] { said = refusal(sql); }), 10.0) << sql;
    EXPECT_NE(said.find("longer than 0.5 s"), std::string::npos) << sql << "\n  " << said;
  }
  // Unfolds 2^39 times while it is compiled; memory may end before the time does.
  limits_.memory_bytes = std::int64_t{64} << 20;
  std::string said;
  EXPECT_LT(seconds_of([&] { said = refusal(views + " SELECT count(*) FROM v39"); }), 20.0);
  EXPECT_NE(said.find("was stopped"), std::string::npos) << said;
}

TEST_F(HostileSql, ThatNeedsTooMuchMemoryIsStopped) {
  limits_.memory_bytes = std::int64_t{64} << 20;
  limits_.seconds = 600;  // memory ends first, on a busy machine as well
  for (const char* sql :
       {"SELECT zeroblob(1000000000)", "SELECT randomblob(1000000000)",
        "SELECT hex(zeroblob(600000))", "SELECT quote(zeroblob(900000))",
        "SELECT replace(hex(zeroblob(250000)), '0', '0123456789')",
        "SELECT group_concat(hex(zeroblob(250000))) FROM runs",
        "SELECT json_group_array(hex(zeroblob(250000))) FROM runs",
        "WITH RECURSIVE n(i) AS (SELECT 'xxxxxxxxxx' UNION ALL SELECT i || i FROM n) "
        "SELECT max(length(i)) FROM n"}) {
    EXPECT_NE(refusal(sql).find("more than 1048576 bytes"), std::string::npos) << sql;
  }
  for (const char* sql :
       {"SELECT printf('%.*c', 100000000, 'x')", "SELECT printf('%1000000000s', 'x')",
        "SELECT printf('%.1000000000f', 1.0)", "SELECT printf('%.1000000000d', 1)"}) {
    // SQLite answers with nothing.
    EXPECT_LT(query_text(file(), std::string(sql) + " AS x", "csv", limits_).size(), 10U) << sql;
  }
  // Rows that a sorter or a set must keep.
  EXPECT_NE(refusal("WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT i FROM n "
                    "ORDER BY -i")
                .find("64 MiB of memory"),
            std::string::npos);
  EXPECT_NE(refusal("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                    "SELECT randomblob(1000), i FROM n ORDER BY 1")
                .find("64 MiB of memory"),
            std::string::npos);
}

TEST_F(HostileSql, WithPatternBombsEndsInTime) {
  const std::string text = "hex(zeroblob(100000))";
  std::string stars, classes;
  for (int i = 0; i < 60; ++i) {
    stars += "%0";
    classes += "*[0-9]";
  }
  std::vector<std::string> sqls{
      "SELECT " + text + " LIKE '" + stars + "%1' AS x",
      "SELECT " + text + " GLOB '" + classes + "*1' AS x",
      "SELECT " + text + " LIKE '%" + std::string(250, '0') + "1' AS x",
      "SELECT instr(" + text + ", substr(" + text + ", 1, 100000) || '1') AS x",
      "SELECT length(replace(" + text + ", substr(" + text + ", 1, 100000) || '1', 'y')) AS x"};
  limits_.seconds = 30;
  for (const std::string& sql : sqls) EXPECT_LT(seconds_of([&] { refusal(sql); }), 30.0) << sql;
  EXPECT_NE(refusal("SELECT 'a' LIKE '" + std::string(300, '%') + "'").find("too complex"),
            std::string::npos);
}

TEST_F(HostileSql, OfEndlessDepthIsRefused) {
  std::string deep = "1", wide = "SELECT 1", terms = "1";
  for (int i = 0; i < 2000; ++i) deep = "(" + deep + " + 1)";
  for (int i = 0; i < 200; ++i) wide += " UNION ALL SELECT 1";
  for (int i = 0; i < 1000; ++i) terms += " OR seed = 1";
  EXPECT_NE(refusal("SELECT " + deep), "");
  EXPECT_NE(refusal(wide).find("compound"), std::string::npos);
  EXPECT_NE(refusal("SELECT * FROM runs WHERE " + terms).find("depth"), std::string::npos);
  EXPECT_NE(refusal("SELECT '" + std::string(2'000'000, 'x') + "'").find("1048576 bytes"),
            std::string::npos);
}

TEST_F(HostileSql, WithMoreRowsThanAllowedShowsNone) {
  limits_.rows = 3;
  EXPECT_NE(refusal("SELECT run_id FROM runs").find("more than 3 rows"), std::string::npos);
  EXPECT_EQ(refusal("SELECT run_id FROM runs LIMIT 3"), "");
  limits_.rows = 1000;
  limits_.result_bytes = 1 << 20;
  for (const char* format : {"table", "csv", "json"}) {
    try {
      query_text(file(), "SELECT hex(zeroblob(200000)) AS x FROM runs", format, limits_);
      FAIL() << format << " is not bounded";
    } catch (const cluster::Error& error) {
      EXPECT_NE(std::string(error.what()).find("larger than 1 MiB"), std::string::npos);
    }
  }
}

TEST_F(HostileSql, GivesItsLimitOfMemoryBack) {
  const std::int64_t before = sqlite3_hard_heap_limit64(-1);
  limits_.memory_bytes = 1 << 20;
  EXPECT_NE(refusal("SELECT randomblob(900000) || randomblob(100000) FROM runs"), "");
  EXPECT_EQ(sqlite3_hard_heap_limit64(-1), before);
  limits_.memory_bytes = std::int64_t{64} << 20;
  EXPECT_EQ(refusal("SELECT randomblob(900000) || randomblob(100000) FROM runs"), "");
  EXPECT_EQ(sqlite3_hard_heap_limit64(-1), before);
}

// ---- conditions -------------------------------------------------------------------------------

TEST_F(HostileSql, OfAConditionChoosesRuns) {
  std::vector<std::string> dtd{ids_[1], ids_[3]}, all = ids_;
  std::sort(dtd.begin(), dtd.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(run_ids_where(file(), "task = 'dtd'"), dtd);
  EXPECT_EQ(run_ids_where(file(), "\n task = 'dtd' AND (seed > 0 OR method IN ('none'))\n"), dtd);
  EXPECT_EQ(run_ids_where(file(), "run_id IN (SELECT run_id FROM runs WHERE task = 'dtd')"), dtd);
  EXPECT_EQ(run_ids_where(file(), "[task] = 'dtd' AND \"method\" = 'prompt' AND `seed` < 9"), dtd);
  EXPECT_EQ(run_ids_where(file(), "task <> ')' AND task <> '--' AND task <> ';' AND task <> ''''"),
            all);
  EXPECT_TRUE(run_ids_where(file(), "fid_mini > 1").empty());
  EXPECT_EQ(run_ids_where(file(), "CASE WHEN seed < 2 THEN 1 ELSE 1 END"), all);
}

TEST_F(HostileSql, DoesNotLeaveTheParenthesesOfACondition) {
  const std::vector<std::string> conditions{
      "",
      "  ",
      "task = 'dtd') --",
      "task = 'dtd') OR (1",
      "1) UNION SELECT run_id FROM runs WHERE (1",
      "1) UNION SELECT run_id FROM runs --",
      "1)",
      "(1",
      "1))((1",
      "1; DELETE FROM runs",
      "1;",
      "1) LIMIT (1",
      "1) ORDER BY (1",
      "1) GROUP BY (1) HAVING (1",
      "1 ORDER BY 1",
      "1 LIMIT 1",
      "1 UNION SELECT run_id FROM runs",
      "1 GROUP BY task",
      "1 -- comment",
      "1 /* comment */",
      "1 /* not closed",
      "/**/1",
      "task = 'dtd",
      "task = \"dtd",
      "task = [dtd",
      "task = `dtd",
      "task = 'a''",
      "SELECT 1",
      "select run_id FROM runs",
      "WITH x AS (SELECT 1) SELECT 1",
      "VALUES (1)",
      "seed, seed",
      "seed = ?",
      "seed = :seed",
      "seed = @seed",
      "seed = $seed",
      "$a(') OR 1) UNION SELECT run_id FROM runs WHERE (1 OR 'x' = '",
      "#1 OR 1",
      "\"statsu\" <> 'done'",
      "statsu <> 'done'",
      "task = \"dtd\"",
      "load_extension('/tmp/x.so')",
      "(SELECT writefile('/tmp/x', 'y'))",
      "run_id IN (DELETE FROM runs RETURNING run_id)",
      "seed IN (SELECT user_version FROM pragma_user_version)",
      "EXISTS (SELECT 1 FROM dbstat)",
      "count(*) > 0",
      "task COLLATE nowhere = 'dtd'",
      "NOT",
      std::string("1\0) UNION SELECT 1", 18),
  };
  for (const std::string& condition : conditions)
    EXPECT_NE(where_refusal(condition), "") << condition;
  EXPECT_NE(where_refusal("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                          "SELECT max(i) FROM n)")
                .find("longer than"),
            std::string::npos);
}

TEST_F(HostileSql, OfAConditionIsBoundedInRows) {
  limits_.rows = 3;
  EXPECT_NE(where_refusal("1").find("more than 3 rows"), std::string::npos);
}

// ---- files ------------------------------------------------------------------------------------

class HostileFile : public testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "results.sqlite"; }
  void make(const std::string& sql) const {
    SQLite::Database database(file().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(sql);
  }
  std::string refusal(const std::string& sql, cluster::ErrorKind kind) const {
    QueryLimits limits;
    limits.seconds = 1;
    try {
      query_text(file(), sql, "csv", limits);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "";
  }
  std::string unreadable() const {
    return refusal("SELECT * FROM results", cluster::ErrorKind::environment);
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(HostileFile, OfAnotherKindIsRefusedByName) {
  const auto named = [&] { return unreadable().find("results.sqlite") != std::string::npos; };
  EXPECT_TRUE(named()) << "missing";
  cluster::write_file_durably(file(), "");
  EXPECT_TRUE(named()) << "empty";
  cluster::write_file_durably(file(), std::string(8192, 'z'));
  EXPECT_TRUE(named()) << "no database";
  cluster::write_file_durably(file(), std::string("SQLite format 3\0", 16));
  EXPECT_TRUE(named()) << "only the first 16 bytes";
  fs::remove(file());
  make("CREATE TABLE t (a)");
  EXPECT_TRUE(named()) << "another database";
  fs::remove(file());
  fs::create_directory(file());
  EXPECT_TRUE(named()) << "a folder";
  fs::remove(file());
  ASSERT_EQ(mkfifo(file().c_str(), 0644), 0);
  EXPECT_TRUE(named()) << "a pipe";
}

TEST_F(HostileFile, WithAViewThatCallsForbiddenFunctionsIsRefused) {
  make("CREATE VIEW results AS SELECT load_extension('/tmp/x.so') AS run_id");
  EXPECT_NE(refusal("SELECT * FROM results", cluster::ErrorKind::usage).find("load_extension"),
            std::string::npos);
}

TEST_F(HostileFile, WithVirtualTablesIsRefused) {
  make("CREATE VIEW results AS SELECT 1 AS run_id; CREATE VIRTUAL TABLE t USING fts5(a)");
  EXPECT_NE(unreadable().find("virtual tables"), std::string::npos);
}

TEST_F(HostileFile, WithTriggersIsOnlyRead) {
  make(
      "CREATE TABLE t (a); CREATE VIEW results AS SELECT a AS run_id FROM t; INSERT INTO t VALUES "
      "(1); CREATE TRIGGER x INSTEAD OF DELETE ON results BEGIN DELETE FROM t; END");
  EXPECT_EQ(query_text(file(), "SELECT * FROM results", "csv"), "run_id\r\n1\r\n");
  EXPECT_NE(refusal("DELETE FROM results", cluster::ErrorKind::usage), "");
}

TEST_F(HostileFile, WithViewsThatUnfoldWithoutEndIsStopped) {
  std::string sql = "CREATE VIEW v0 AS SELECT 1 AS run_id;";
  for (int i = 1; i < 40; ++i) {
    const std::string below = "v" + std::to_string(i - 1);
    sql += "CREATE VIEW v" + std::to_string(i) + " AS SELECT a.run_id FROM " + below + " a, " +
           below + " b;";
  }
  make(sql + "CREATE VIEW results AS SELECT run_id FROM v39");
  std::string said;
  EXPECT_LT(seconds_of([&] { said = refusal("SELECT * FROM results", cluster::ErrorKind::usage); }),
            15.0);
  EXPECT_TRUE(said.find("was stopped") != std::string::npos ||
              said.find("too many references") != std::string::npos)
      << said;
}

TEST_F(HostileFile, WithAnIdThatIsAPathGivesNoRunIds) {
  make("CREATE VIEW results AS SELECT '../../etc' AS run_id");
  EXPECT_THROW(run_ids_where(file(), "1"), cluster::Error);
}

TEST_F(HostileFile, WithControlCharactersDoesNotDriveTheTerminal) {
  make("CREATE VIEW results AS SELECT char(27) || '[2J' || char(10) || 'x' AS run_id");
  const std::string table = query_text(file(), "SELECT * FROM results", "table");
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("\\x1b[2J\\nx"), std::string::npos) << table;
}

TEST_F(HostileFile, LeavesAForeignJournalAndLogAlone) {
  make("PRAGMA journal_mode = WAL; CREATE VIEW results AS SELECT 1 AS run_id");
  cluster::write_file_durably(file().string() + "-wal", std::string(4096, 'w'));
  EXPECT_EQ(query_text(file(), "SELECT * FROM results", "csv"), "run_id\r\n1\r\n");
  EXPECT_EQ(cluster::read_file(file().string() + "-wal", 1 << 20), std::string(4096, 'w'));
  EXPECT_FALSE(fs::exists(file().string() + "-shm"));
}

TEST_F(HostileFile, WithDamagedPagesIsRefusedOrReadAndNeverWorse) {
  {
    experiments::Ledger ledger = experiments::Ledger::open(folder_.path(), 1);
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      experiments::RunConfig run;
      run.task = "eurosat";
      run.method = "none";
      run.shots = "5";
      run.seed = seed;
      ledger.register_run(run);
    }
    ledger.publish();
  }
  const std::string whole = cluster::read_file(file(), 1 << 24);
  ASSERT_GT(whole.size(), 10U * 4096);
  int refused = 0;
  for (std::size_t page = 0; page < whole.size(); page += 4096) {
    std::string damaged = whole;
    for (std::size_t i = page; i < page + 4096; ++i)
      damaged[i] = static_cast<char>(i * 2654435761U >> 8);
    cluster::write_file_durably(file(), damaged);
    for (const char* sql : {"SELECT * FROM results", "SELECT * FROM runs ORDER BY run_id",
                            "SELECT * FROM attempts, events, sweeps"}) {
      try {
        query_text(file(), sql, "json");
      } catch (const cluster::Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 10);
  cluster::write_file_durably(file(), whole.substr(0, whole.size() / 2));
  EXPECT_NE(unreadable(), "");
  EXPECT_THROW(load_comparison(file()), cluster::Error);
}

}  // namespace
}  // namespace marquee::analysis
