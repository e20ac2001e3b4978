// Ledgers of earlier versions: every row survives, a copy is kept, what cannot be migrated is left
// as it was.
#include <fstream>
#include <map>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "cluster/error.h"
#include "experiments/ledger.h"
#include "experiments/schema.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(SQLite::Database& database, const std::string& sql) {
  SQLite::Statement statement(database, sql);
  Rows rows;
  while (statement.executeStep()) {
    rows.emplace_back();
    for (int i = 0; i < statement.getColumnCount(); ++i)
      rows.back().push_back(statement.getColumn(i).isNull() ? "NULL"
                                                            : statement.getColumn(i).getString());
  }
  return rows;
}

Rows rows_of(const std::filesystem::path& file, const std::string& sql) {
  SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
  return rows_of(database, sql);
}

// Columns that version 1 had, in its order.
const std::map<std::string, std::string> kVersion1{
    {"sweeps", "sweep, file, file_sha256, registered"},
    {"runs",
     "run_id, task, shots, method, seed, base, profile, protocol, prompt_kind, prompt_length, "
     "factors, conditions, marquee, steps, learning_rate, config, status"},
    {"sweep_runs", "sweep, run_id, position"},
    {"attempts",
     "run_id, attempt, epoch, status, started, ended, host, slot, cause_kind, cause_message, "
     "exit_code, signal, log_tail, trainable_parameters, seconds, result_sha256, prompt_sha256, "
     "tokens_sha256, class_prior, fingerprint, provenance"},
    {"metrics",
     "run_id, metric, value, standard_error, n_generated, n_reference, protocol, network_hash"},
    {"events", "event, time, epoch, kind, run_id, text"},
    {"results",
     "run_id, sweep, task, shots, method, seed, status, base, profile, protocol, prompt_kind, "
     "prompt_length, factors, conditions, marquee, steps, learning_rate, attempt, fid_mini, "
     "kid_mini, precision, recall, density, coverage, trainable_parameters, seconds"},
    {"leaderboard",
     "task, shots, method, protocol, seeds, fid_mini, fid_mini_best, fid_mini_worst, kid_mini, "
     "precision, recall, density, coverage"},
    {"few_shot",
     "task, method, seed, protocol, shots, fid_mini, kid_mini, precision, recall, density, "
     "coverage"},
    {"failures", "*"}};

std::map<std::string, Rows> everything(const std::filesystem::path& file) {
  std::map<std::string, Rows> content;
  for (const auto& [table, columns] : kVersion1)
    content[table] = rows_of(file, "SELECT " + columns + " FROM " + table + " ORDER BY 1, 2");
  return content;
}

class Migration : public testing::Test {
 protected:
  // A ledger as version 1 wrote it: one run finished at its second attempt, one failed, one
  // waiting.
  void write_version_1() const {
    std::ifstream file(std::string(MARQUEE_SOURCE_DIR) +
                       "/tests/experiments/fixtures/schema-1.sql");
    const std::string schema((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
    SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(schema);
    database.exec(R"sql(
      INSERT INTO sweeps VALUES ('two', 'two.yaml', 'ff', '2026-01-01T00:00:00.000Z');
      INSERT INTO runs VALUES
        ('a1', 'eurosat', '5', 'prompt', 0, 'mini', 'mini', 'mini-v0', 'additive', 8, 0, 'class', 'none',
         300, 0.001, '{}', 'done'),
        ('b2', 'eurosat', '5', 'none', 0, 'mini', 'mini', 'mini-v0', NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, '{}', 'failed'),
        ('c3', 'svhn', '5', 'none', 1, 'mini', 'mini', 'mini-v0', NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, '{}', 'pending');
      INSERT INTO sweep_runs VALUES ('two', 'c3', 0), ('two', 'a1', 1), ('two', 'b2', 2);
      INSERT INTO attempts (run_id, attempt, epoch, status, started, host, slot, cause_kind,
                            cause_message, signal, seconds, trainable_parameters, result_sha256) VALUES
        ('a1', 1, 1, 'interrupted', 's', 'here', 0, 'interrupted', 'on request', NULL, NULL, NULL, NULL),
        ('a1', 2, 2, 'done', 's', 'here', 1, NULL, NULL, NULL, 3.5, 42, 'aa'),
        ('b2', 1, 2, 'failed', 's', 'here', 0, 'crash', 'signal 9', 9, NULL, NULL, NULL);
      INSERT INTO metrics VALUES ('a1', 'fid_mini', 1.5, 0.1, 256, 1000, 'mini-v0', 'n'),
                                 ('a1', 'precision', 0.5, NULL, 256, 1000, 'mini-v0', 'n');
      INSERT INTO events (time, epoch, kind, run_id, text) VALUES ('t', 2, 'recovery', NULL, 'x');
    )sql");
  }
  std::filesystem::path ledger() const { return folder_.path() / "ledger.sqlite"; }
  cluster::TemporaryFolder folder_;
};

TEST_F(Migration, KeepsEveryRowOfVersion1) {
  write_version_1();
  const auto before = everything(ledger());
  ASSERT_EQ(before.at("results").size(), 3u);
  ASSERT_EQ(before.at("metrics").size(), 2u);
  Ledger::open(folder_.path(), 3).publish();
  const auto published = folder_.path() / "results.sqlite";
  EXPECT_EQ(everything(published), before);
  EXPECT_EQ(rows_of(published, "PRAGMA user_version"), (Rows{{std::to_string(kSchemaVersion)}}));
  EXPECT_EQ(rows_of(published, "PRAGMA foreign_key_check"), Rows{});
}

// Rows as each version wrote them, in the tables that it brought.
TEST_F(Migration, LeadsEveryVersionToTheSameSchemaAndLosesNoRow) {
  const cluster::TemporaryFolder fresh;
  Ledger::open(fresh.path(), 1);
  const std::string schema = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name";
  const Rows newest = rows_of(fresh.path() / "ledger.sqlite", schema);
  for (int version = 1; version < kSchemaVersion; ++version) {
    SCOPED_TRACE("version " + std::to_string(version));
    std::filesystem::remove(ledger());
    write_version_1();
    {
      SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE);
      for (int step = 1; step < version; ++step)
        database.exec(kSchemaSteps[static_cast<std::size_t>(step)]);
      if (version >= 2) {
        database.exec(R"sql(
          INSERT INTO requests VALUES ('r', 't', 1, 'rerun', NULL, NULL, 'one run');
          INSERT INTO coordinators VALUES (1, 'two', 'here', 7, 1, 's', 'u', NULL, 3, 1, 1, 0, 1, 9.5, 10);
        )sql");
      }
      if (version >= 5) {
        database.exec(R"sql(
          INSERT INTO evaluations VALUES ('e', 'MineGAN', 'a', 'dtd', '5', 'g', 'r', 'gh', 'rh',
                                          'clean-fid', 'inception', 'nh', 'rule', 0, 'm', 'c');
          INSERT INTO evaluation_metrics (evaluation, metric, value, n_generated, n_reference)
            VALUES ('e', 'fid', 42.5, 100, 200);
        )sql");
      }
      database.exec("PRAGMA user_version = " + std::to_string(version));
    }
    const auto before = everything(ledger());
    Ledger::open(folder_.path(), 3).publish();
    const auto published = folder_.path() / "results.sqlite";
    EXPECT_EQ(everything(published), before);
    EXPECT_EQ(rows_of(ledger(), schema), newest);
    EXPECT_EQ(rows_of(published, "PRAGMA foreign_key_check"), Rows{});
    EXPECT_EQ(rows_of(published, "PRAGMA integrity_check"), (Rows{{"ok"}}));
    EXPECT_EQ(rows_of(published, "SELECT text FROM requests").size(), version >= 2 ? 1U : 0U);
    EXPECT_EQ(rows_of(published, "SELECT runs_per_hour FROM coordinators").size(),
              version >= 2 ? 1U : 0U);
    EXPECT_EQ(rows_of(published, "SELECT value FROM all_metrics WHERE source = 'outside'"),
              version >= 5 ? (Rows{{"42.5"}}) : Rows{});
  }
}

// What stands within texts of JSON is found in columns, also where the text is older or broken.
TEST_F(Migration, FillsColumnsFromTexts) {
  write_version_1();
  {
    SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE);
    database.exec(R"sql(
      UPDATE runs SET config = '{"gang": 4, "reference": "test", "base_hash": "bh"}' WHERE run_id = 'a1';
      UPDATE runs SET config = 'no JSON' WHERE run_id = 'b2';
      UPDATE attempts SET fingerprint = '{"device": "cpu", "threads": 2, "marquee": "0.1.0"}',
        provenance = '{"commit": "abc", "timing": {"peak_bytes": 12345}}',
        started = '2026-01-01T00:00:00.000Z', ended = '2026-01-01T01:00:00.000Z'
        WHERE run_id = 'a1';
      UPDATE attempts SET provenance = '{' WHERE run_id = 'b2';
    )sql");
  }
  Ledger::open(folder_.path(), 3).publish();
  const auto published = folder_.path() / "results.sqlite";
  EXPECT_EQ(rows_of(published,
                    "SELECT device, threads, program_version, commit_hash, base_hash, "
                    "reference FROM provenance"),
            (Rows{{"cpu", "2", "0.1.0", "abc", "bh", "test"}}));
  // Two attempts of an hour on four slots; the second counts.
  EXPECT_EQ(rows_of(published,
                    "SELECT attempts, slots, round(slot_hours, 6), "
                    "round(lost_slot_hours, 6), peak_bytes, result_seconds FROM costs "
                    "WHERE run_id = 'a1'"),
            (Rows{{"2", "4", "8.0", "4.0", "12345", "3.5"}}));
  EXPECT_EQ(rows_of(published, "SELECT slots, peak_bytes FROM costs WHERE run_id = 'b2'"),
            (Rows{{"1", "NULL"}}));
}

TEST_F(Migration, ChecksWhatItIsTold) {
  Ledger::open(folder_.path(), 1);
  SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE);
  database.exec("PRAGMA foreign_keys = ON");
  database.exec(
      "INSERT INTO runs (run_id, task, shots, method, seed, base, profile, protocol, config) "
      "VALUES ('a1', 't', '5', 'none', 0, 'b', 'p', 'q', '{}');"
      "INSERT INTO attempts (run_id, attempt, epoch, status) VALUES ('a1', 1, 1, 'done')");
  for (const std::string statement :
       {"INSERT INTO attempts (run_id, attempt, epoch, status) VALUES ('a1', 0, 1, 'done')",
        "INSERT INTO attempts (run_id, attempt, epoch, status) VALUES ('a1', 2, 1, 'well')",
        "INSERT INTO attempts (run_id, attempt, epoch, status) VALUES ('none', 1, 1, 'done')",
        "INSERT INTO attempt_metrics VALUES ('a1', 2, 'fid', 1, 0.1, 1, 1, 'p', 'n')",
        "INSERT INTO attempt_metrics VALUES ('a1', 1, 'fid', 1, -0.1, 1, 1, 'p', 'n')",
        "INSERT INTO attempt_metrics VALUES ('a1', 1, 'fid', 1, 0.1, -1, 1, 'p', 'n')",
        "UPDATE attempts SET seconds = -1", "UPDATE runs SET steps = 'many'",
        "UPDATE runs SET status = 'gone'"})
    EXPECT_THROW(database.exec(statement), SQLite::Exception) << statement;
  database.exec("INSERT INTO attempt_metrics VALUES ('a1', 1, 'fid', 1, 0.1, 1, 1, 'p', 'n')");
}

TEST_F(Migration, KeepsACopyOfTheOldFile) {
  write_version_1();
  const auto before = everything(ledger());
  Ledger::open(folder_.path(), 3);
  const auto copy = folder_.path() / "ledger.sqlite.v1";
  ASSERT_TRUE(std::filesystem::exists(copy));
  EXPECT_EQ(rows_of(copy, "PRAGMA user_version"), (Rows{{"1"}}));
  EXPECT_EQ(everything(copy), before);
}

TEST_F(Migration, MakesTheSameSchemaAsANewLedger) {
  write_version_1();
  Ledger::open(folder_.path(), 3);
  const cluster::TemporaryFolder fresh;
  Ledger::open(fresh.path(), 1);
  EXPECT_FALSE(std::filesystem::exists(fresh.path() / "ledger.sqlite.v0"));
  const std::string sql = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name";
  EXPECT_EQ(rows_of(ledger(), sql), rows_of(fresh.path() / "ledger.sqlite", sql));
}

TEST_F(Migration, GoesOnWithAMigratedLedger) {
  write_version_1();
  Ledger ledger = Ledger::open(folder_.path(), 3);
  EXPECT_TRUE(ledger.want_rerun("a1"));
  EXPECT_EQ(ledger.status("a1"), "pending");
  EXPECT_TRUE(ledger.cancel("b2"));
  EXPECT_EQ(ledger.status("b2"), "cancelled");
}

TEST_F(Migration, GivesMetricsOfEvaluationsTheirNetwork) {
  constexpr std::size_t kBefore = 5;
  SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  for (std::size_t step = 0; step < kBefore; ++step) database.exec(kSchemaSteps[step]);
  database.exec("PRAGMA user_version = " + std::to_string(kBefore));
  for (const std::string name : {"e", "f"}) {
    database.exec("INSERT INTO evaluations VALUES ('" + name +
                  "', 'GAN', '', 'dtd', '5', 'a', 'b', 'x', 'y', 'adm', 'i', 'net-" + name +
                  "', 'r', 0, 't', 'c')");
    database.exec("INSERT INTO evaluation_metrics VALUES ('" + name + "', 'fid', 1.5, NULL, 2, 3)");
  }
  Ledger::open(folder_.path(), 3).publish();
  EXPECT_EQ(rows_of(folder_.path() / "results.sqlite",
                    "SELECT made_by, metric, network_hash FROM all_metrics ORDER BY 1"),
            (Rows{{"e", "fid", "net-e"}, {"f", "fid", "net-f"}}));
}

TEST_F(Migration, RefusesANewerLedgerAndLeavesIt) {
  write_version_1();
  const int newer = kSchemaVersion + 1;
  SQLite::Database(ledger().string(), SQLite::OPEN_READWRITE)
      .exec("PRAGMA user_version = " + std::to_string(newer));
  const auto before = everything(ledger());
  try {
    Ledger::open(folder_.path(), 3);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("newer marquee"), std::string::npos);
  }
  EXPECT_EQ(rows_of(ledger(), "PRAGMA user_version"), (Rows{{std::to_string(newer)}}));
  EXPECT_EQ(everything(ledger()), before);
}

TEST_F(Migration, LeavesALedgerAsItWasWhenARowRefersToAMissingOne) {
  write_version_1();
  SQLite::Database(ledger().string(), SQLite::OPEN_READWRITE)
      .exec("INSERT INTO metrics VALUES ('nobody', 'fid_mini', 1, NULL, 1, 1, 'mini-v0', 'n')");
  const auto before = everything(ledger());
  try {
    Ledger::open(folder_.path(), 3);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("doctor --rebuild"), std::string::npos);
  }
  EXPECT_EQ(rows_of(ledger(), "PRAGMA user_version"), (Rows{{"1"}}));
  EXPECT_EQ(everything(ledger()), before);
}

}  // namespace
}  // namespace marquee::experiments
