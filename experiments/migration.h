// Brings a ledger of an earlier version to the newest schema: forward only, in one transaction,
// with a copy of the old file kept as ledger.sqlite.v<N> (made and synced before anything is
// changed).
#pragma once

#include <filesystem>

#include <SQLiteCpp/SQLiteCpp.h>

namespace marquee::experiments {

// `file`: of the open `database`, outside a transaction and with foreign_keys off. An empty
// database gets the whole schema. Throws environment for a newer version than this program's and
// for rows that refer to missing ones; the ledger is unchanged then. SQLite's errors pass through.
void migrate(SQLite::Database& database, const std::filesystem::path& file);

}  // namespace marquee::experiments
