#include "analysis/report/guarded_reader.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include <sqlite3.h>

#include "analysis/report/database.h"
#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::analysis {
namespace {

constexpr int kStepsBetweenLooks = 1000;     // instructions of SQLite's virtual machine
constexpr int kLongestValueBytes = 1 << 20;  // texts of ours end at 64 KiB
constexpr int kLongestSqlBytes = 1 << 20;
// A pattern is tried at every place of a text in one instruction, where no clock is looked at.
constexpr int kLongestPatternBytes = 256;

// Functions without side effects: SQLite 3.40 and what later versions added. Whatever is not here
// (load_extension, fts3_tokenizer, what an extension brings) is refused.
constexpr std::string_view kFunctions[] = {"->",
                                           "->>",
                                           "abs",
                                           "acos",
                                           "acosh",
                                           "asin",
                                           "asinh",
                                           "atan",
                                           "atan2",
                                           "atanh",
                                           "avg",
                                           "ceil",
                                           "ceiling",
                                           "changes",
                                           "char",
                                           "coalesce",
                                           "concat",
                                           "concat_ws",
                                           "cos",
                                           "cosh",
                                           "count",
                                           "cume_dist",
                                           "current_date",
                                           "current_time",
                                           "current_timestamp",
                                           "date",
                                           "datetime",
                                           "degrees",
                                           "dense_rank",
                                           "exp",
                                           "first_value",
                                           "floor",
                                           "format",
                                           "glob",
                                           "group_concat",
                                           "hex",
                                           "if",
                                           "ifnull",
                                           "iif",
                                           "instr",
                                           "json",
                                           "json_array",
                                           "json_array_length",
                                           "json_error_position",
                                           "json_extract",
                                           "json_group_array",
                                           "json_group_object",
                                           "json_insert",
                                           "json_object",
                                           "json_patch",
                                           "json_pretty",
                                           "json_quote",
                                           "json_remove",
                                           "json_replace",
                                           "json_set",
                                           "json_type",
                                           "json_valid",
                                           "julianday",
                                           "lag",
                                           "last_value",
                                           "lead",
                                           "length",
                                           "like",
                                           "likelihood",
                                           "likely",
                                           "ln",
                                           "log",
                                           "log10",
                                           "log2",
                                           "lower",
                                           "ltrim",
                                           "max",
                                           "median",
                                           "min",
                                           "mod",
                                           "nth_value",
                                           "ntile",
                                           "nullif",
                                           "octet_length",
                                           "percent_rank",
                                           "percentile",
                                           "pi",
                                           "pow",
                                           "power",
                                           "printf",
                                           "quote",
                                           "radians",
                                           "random",
                                           "randomblob",
                                           "rank",
                                           "replace",
                                           "round",
                                           "row_number",
                                           "rtrim",
                                           "sign",
                                           "sin",
                                           "sinh",
                                           "soundex",
                                           "sqlite_source_id",
                                           "sqlite_version",
                                           "sqrt",
                                           "strftime",
                                           "string_agg",
                                           "substr",
                                           "substring",
                                           "subtype",
                                           "sum",
                                           "tan",
                                           "tanh",
                                           "time",
                                           "timediff",
                                           "total",
                                           "trim",
                                           "trunc",
                                           "typeof",
                                           "unhex",
                                           "unicode",
                                           "unixepoch",
                                           "unlikely",
                                           "upper",
                                           "zeroblob"};

// What a refused action is called in SQL.
std::string action_name(int action, const char* first) {
  switch (action) {
    case SQLITE_ATTACH:
      return "ATTACH or VACUUM";
    case SQLITE_PRAGMA:
      return std::string("PRAGMA ") + (first != nullptr ? first : "");
    case SQLITE_FUNCTION:
      return "a function";
    case SQLITE_READ:
      return std::string("reading the table ") + (first != nullptr ? first : "");
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      return "a transaction";
    default:
      return "changing anything";
  }
}

void limit_statements(sqlite3* database) {
  for (const auto& [limit, value] : {std::pair{SQLITE_LIMIT_LENGTH, kLongestValueBytes},
                                     {SQLITE_LIMIT_SQL_LENGTH, kLongestSqlBytes},
                                     {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, kLongestPatternBytes},
                                     {SQLITE_LIMIT_EXPR_DEPTH, 500},
                                     {SQLITE_LIMIT_COMPOUND_SELECT, 100},
                                     {SQLITE_LIMIT_COLUMN, 1000},
                                     {SQLITE_LIMIT_VDBE_OP, 250'000},
                                     {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
                                     {SQLITE_LIMIT_WORKER_THREADS, 0}}) {
    sqlite3_limit(database, limit, value);
  }
}

}  // namespace

struct GuardedReader::State {
  std::filesystem::path path;
  QueryLimits limits;
  double give_up;  // monotonic seconds
  std::int64_t memory_limit_before;
  std::set<std::string> readable{"json_each", "json_tree"};
  SQLite::Database database;
  bool out_of_time = false;
  std::string older;    // what to say of a missing table where the file is an earlier marquee's
  std::string refused;  // the first action that the authorizer did not allow

  State(const std::filesystem::path& file, const QueryLimits& bounds)
      : path(file),
        limits(bounds),
        give_up(cluster::monotonic_seconds() + bounds.seconds),
        memory_limit_before(sqlite3_hard_heap_limit64(bounds.memory_bytes)),
        database(open_published(file)) {}
  ~State() { sqlite3_hard_heap_limit64(memory_limit_before); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool late() {
    out_of_time = out_of_time || cluster::monotonic_seconds() > give_up;
    return out_of_time;
  }

  bool allows(int action, const char* first, const char* second) const {
    if (action == SQLITE_SELECT || action == SQLITE_RECURSIVE) return true;
    // Without a column nothing is read; the name may be that of a subquery then.
    if (action == SQLITE_READ)
      return first != nullptr &&
             (second == nullptr || *second == '\0' || readable.count(first) > 0);
    if (action != SQLITE_FUNCTION || second == nullptr) return false;
    return std::any_of(std::begin(kFunctions), std::end(kFunctions), [&](std::string_view name) {
      return sqlite3_stricmp(name.data(), second) == 0;
    });
  }

  // Also called while a statement is compiled, where views and subqueries may unfold without end.
  static int authorize(void* self, int action, const char* first, const char* second, const char*,
                       const char*) {
    auto& state = *static_cast<State*>(self);
    if (!state.late() && state.allows(action, first, second)) return SQLITE_OK;
    if (!state.out_of_time && state.refused.empty())
      state.refused = action == SQLITE_FUNCTION && second != nullptr
                          ? std::string("the function ") + second
                          : action_name(action, first);
    return SQLITE_DENY;
  }
  static int look_at_the_clock(void* self) { return static_cast<State*>(self)->late() ? 1 : 0; }
};

GuardedReader::GuardedReader(const std::filesystem::path& database, const QueryLimits& limits)
    : state_(std::make_unique<State>(database, limits)) {
  sqlite3* handle = state_->database.getHandle();
  state_->older = older_schema_hint(state_->database);
  try {
    SQLite::Statement names(state_->database,
                            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    while (names.executeStep()) state_->readable.insert(names.getColumn(0).getString());
    // The first use of these two makes them, which the authorizer would not allow later. Whatever
    // else SQLite could make on first use (dbstat, pragma_...) stays out.
    for (const char* table : {"json_each", "json_tree"})
      SQLite::Statement(state_->database, std::string("SELECT * FROM ") + table + "('[]')");
  } catch (const SQLite::Exception& error) {
    refuse(error.getErrorCode(), error.what());
  }
  state_->readable.insert({"sqlite_schema", "sqlite_master"});
  limit_statements(handle);
  sqlite3_progress_handler(handle, kStepsBetweenLooks, State::look_at_the_clock, state_.get());
  sqlite3_set_authorizer(handle, State::authorize, state_.get());
}

GuardedReader::~GuardedReader() = default;

void GuardedReader::refuse(int code, const std::string& message) const {
  const QueryLimits& limits = state_->limits;
  constexpr int kPrimary = 0xff;  // extended codes carry theirs above
  if (state_->out_of_time) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%g", limits.seconds);
    cluster::throw_usage(std::string("the query took longer than ") + seconds +
                         " s and was stopped; nothing of it is shown");
  }
  if (!state_->refused.empty()) {
    cluster::throw_usage("SQL refused: " + state_->refused +
                         " is not allowed here; results are read-only (SQLite says: " + message +
                         ")");
  }
  switch (code & kPrimary) {
    case SQLITE_NOMEM:
      cluster::throw_usage("the query needs more than " +
                           std::to_string(limits.memory_bytes >> 20) +
                           " MiB of memory and was stopped; nothing of it is shown");
    case SQLITE_TOOBIG:
      cluster::throw_usage("SQL refused: a value, pattern or statement of more than " +
                           std::to_string(kLongestValueBytes) + " bytes");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
      cluster::throw_environment(state_->path.string() + ": damaged (" + message + ")");
    default:
      cluster::throw_usage("SQL refused: " + message +
                           (message.find("no such ") == std::string::npos ? "" : state_->older));
  }
}

// sqlite3_prepare tells where the first statement ends; SQLiteCpp does not.
void GuardedReader::check_single_reading_statement(const std::string& sql) {
  // SQLite reads up to the first NUL: what stands behind it would be left out silently.
  if (sql.find('\0') != std::string::npos) cluster::throw_usage("SQL refused: holds a NUL byte");
  sqlite3* handle = state_->database.getHandle();
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v2(handle, sql.c_str(), static_cast<int>(sql.size()) + 1, &statement, &rest);
  if (code != SQLITE_OK) refuse(code, sqlite3_errmsg(handle));
  const bool reads = statement != nullptr && sqlite3_stmt_readonly(statement) != 0 &&
                     sqlite3_column_count(statement) > 0;
  const int parameters = sqlite3_bind_parameter_count(statement);
  sqlite3_finalize(statement);
  if (!reads) cluster::throw_usage("SQL refused: expected a SELECT; results are read-only here");
  if (std::string(rest).find_first_not_of(" \t\r\n;") != std::string::npos)
    cluster::throw_usage("SQL refused: expected one statement, not several");
  if (parameters > 0)
    cluster::throw_usage("SQL refused: parameters (?, :name, @name, $name) have no value here");
}

void GuardedReader::read(const std::string& sql,
                         const std::function<void(SQLite::Statement&)>& columns,
                         const std::function<void(SQLite::Statement&)>& row) {
  state_->refused.clear();
  check_single_reading_statement(sql);
  try {
    SQLite::Statement statement(state_->database, sql);
    columns(statement);
    std::size_t rows = 0;
    while (statement.executeStep()) {
      if (++rows > state_->limits.rows) {
        cluster::throw_usage("the query has more than " + std::to_string(state_->limits.rows) +
                             " rows; nothing of it is shown: add a LIMIT, or raise the limit");
      }
      row(statement);
    }
  } catch (const SQLite::Exception& error) {
    refuse(error.getErrorCode(), error.what());
  }
}

void GuardedReader::check_size(std::size_t bytes) const {
  if (bytes <= state_->limits.result_bytes) return;
  cluster::throw_usage("the result is larger than " +
                       std::to_string(state_->limits.result_bytes >> 20) +
                       " MiB; nothing of it is shown: ask for fewer rows or columns");
}

}  // namespace marquee::analysis
