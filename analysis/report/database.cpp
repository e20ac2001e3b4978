#include "analysis/report/database.h"

#include <sqlite3.h>

#include "cluster/error.h"

namespace marquee::analysis {

SQLite::Database open_published(const std::filesystem::path& database) {
  try {
    SQLite::Database opened(database.string(), SQLite::OPEN_READONLY);
    sqlite3_limit(opened.getHandle(), SQLITE_LIMIT_ATTACHED, 0);
    // A database file is data of unknown origin: no functions with side effects from its schema.
    opened.exec("PRAGMA trusted_schema = OFF");
    opened.execAndGet("SELECT count(*) FROM sqlite_schema");
    return opened;
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(database.string() + ": not a readable results database (" +
                               error.what() + ")");
  }
}

}  // namespace marquee::analysis
