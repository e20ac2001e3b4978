// A published results.sqlite, opened for reading.
#pragma once

#include <filesystem>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

namespace marquee::analysis {

// Read-only. The file may be hostile: no ATTACH, no extension, no trigger, no function with side
// effects from its schema; a `-wal` or `-journal` beside it is ignored, since a published copy is
// never written again. Throws environment naming the file when it is none of ours: not a regular
// file, no database, without the view `results`, or with virtual tables.
SQLite::Database open_published(const std::filesystem::path& database);

// For the words of an error about a missing table or column: that the file is of an earlier marquee
// and what makes it new; "" where it is not.
std::string older_schema_hint(SQLite::Database& database);

}  // namespace marquee::analysis
