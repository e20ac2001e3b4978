#include "analysis/report/database.h"

#include <string>

#include <sqlite3.h>

#include "cluster/error.h"
#include "experiments/schema.h"

namespace marquee::analysis {
namespace {

// An absolute `file:` URI; a plain path that starts with "file:" would be read as one, too.
std::string uri_of(const std::filesystem::path& path) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/';
    if (plain) {
      uri += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      uri += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return uri + "?mode=ro&immutable=1";
}

void harden(sqlite3* database) {
  for (const auto& [option, value] :
       {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
        {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
        // A mistyped column in double quotes is an error, not a text that differs from everything.
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0}}) {
    int now = 0;
    MARQUEE_CHECK(sqlite3_db_config(database, option, value, &now) == SQLITE_OK && now == value,
                  "SQLite does not take option " + std::to_string(option));
  }
  sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
}

}  // namespace

SQLite::Database open_published(const std::filesystem::path& database) {
  if (!std::filesystem::is_regular_file(database))
    cluster::throw_environment(database.string() + ": no such file, or not a regular one");
  try {
    SQLite::Database opened(uri_of(database), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
    harden(opened.getHandle());
    opened.exec("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
    if (opened
            .execAndGet("SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = "
                        "'results'")
            .getInt() != 1) {
      cluster::throw_environment(database.string() +
                                 ": not a results database of marquee (no view 'results')");
    }
    if (opened.execAndGet("SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'")
            .getInt() != 0) {
      cluster::throw_environment(database.string() +
                                 ": holds virtual tables, so marquee has not written it");
    }
    return opened;
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(database.string() + ": not a readable results database (" +
                               error.what() + ")");
  }
}

std::string older_schema_hint(SQLite::Database& database) {
  try {
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    if (version < 1 || version >= experiments::kSchemaVersion) return "";
    return "; the file has schema version " + std::to_string(version) + ", this marquee reads " +
           std::to_string(experiments::kSchemaVersion) +
           ": the next command that writes to its folder (marquee sweep, cancel, rerun) makes it "
           "new";
  } catch (const SQLite::Exception&) {
    return "";
  }
}

}  // namespace marquee::analysis
