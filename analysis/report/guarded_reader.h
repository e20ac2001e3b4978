// SQL that somebody else wrote, over a file that somebody else may have written: what a statement
// may do, and how much of time, memory and output it may take.
//
// SQLite's authorizer allows reading tables and views of the file and a list of functions without
// side effects, nothing else: no ATTACH, PRAGMA (as a table neither), transaction or change of any
// kind. Not thread safe; the limit on memory holds for all of SQLite in this process while a reader
// lives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analysis/report/query.h"

namespace marquee::analysis {

class GuardedReader {
 public:
  // The clock of `limits` starts here. Throws like open_published.
  GuardedReader(const std::filesystem::path& database, const QueryLimits& limits);
  ~GuardedReader();
  GuardedReader(const GuardedReader&) = delete;
  GuardedReader& operator=(const GuardedReader&) = delete;

  // Calls `columns` once and `row` at each row of one SELECT. Throws usage for SQL that does not
  // parse, is more than one statement, has parameters, does what is not allowed or reaches a limit
  // (saying which); environment for a damaged file. Rows that were taken before a limit bit are no
  // result: the caller must drop them.
  void read(const std::string& sql, const std::function<void(SQLite::Statement&)>& columns,
            const std::function<void(SQLite::Statement&)>& row);
  // The caller's own count of what it makes of the rows, against limits.result_bytes.
  void check_size(std::size_t bytes) const;

 private:
  struct State;
  void check_single_reading_statement(const std::string& sql);
  [[noreturn]] void refuse(int code, const std::string& message) const;

  std::unique_ptr<State> state_;
};

}  // namespace marquee::analysis
