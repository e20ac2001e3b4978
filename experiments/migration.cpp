#include "experiments/migration.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/schema.h"

namespace marquee::experiments {
namespace {

void keep_copy(SQLite::Database& database, const std::filesystem::path& file, int version) {
  cluster::StagedFile staged(file.string() + ".v" + std::to_string(version));
  SQLite::Statement copy(database, "VACUUM INTO ?");
  copy.bind(1, staged.staging_path().string());
  copy.exec();
  staged.commit();
}

void check_references(SQLite::Database& database, const std::filesystem::path& file) {
  SQLite::Statement broken(database, "PRAGMA foreign_key_check");
  if (!broken.executeStep()) return;
  cluster::throw_environment(file.string() + ": table " + broken.getColumn(0).getString() +
                             " refers to rows of " + broken.getColumn(2).getString() +
                             " that are missing; marquee doctor --rebuild makes the ledger again");
}

}  // namespace

void migrate(SQLite::Database& database, const std::filesystem::path& file) {
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version > kSchemaVersion) {
    cluster::throw_environment(file.string() + ": has schema version " + std::to_string(version) +
                               ", this program knows " + std::to_string(kSchemaVersion) +
                               "; use a newer marquee");
  }
  if (version == kSchemaVersion) return;
  if (version > 0) keep_copy(database, file, version);
  SQLite::Transaction transaction(database);
  for (std::size_t step = static_cast<std::size_t>(version); step < kSchemaSteps.size(); ++step)
    database.exec(kSchemaSteps[step]);
  database.exec(kFactsOfAttempts);
  check_references(database, file);
  database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
}

}  // namespace marquee::experiments
