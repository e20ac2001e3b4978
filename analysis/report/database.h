// A published results.sqlite, opened for reading by code that came after the reader's SQL.
#pragma once

#include <filesystem>

#include <SQLiteCpp/SQLiteCpp.h>

namespace marquee::analysis {

// Read-only, without ATTACH. Throws environment naming the file when it is no database.
SQLite::Database open_published(const std::filesystem::path& database);

}  // namespace marquee::analysis
