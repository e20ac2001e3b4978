// The inside of a Ledger, for the ledger_*.cpp files alone: the open database, its prepared
// statements, transactions, and SQLite's errors in our words. Not thread safe.
#pragma once

#include <type_traits>
#include <unordered_map>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "cluster/background_sync.h"
#include "cluster/error.h"
#include "cluster/lease.h"
#include "experiments/ledger.h"
#include "experiments/results_folder.h"

namespace marquee::experiments {

// A prepared statement in use: it is reset and its values are cleared afterwards, so that it holds
// no read transaction open and can be used again.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    statement_.tryReset();
    statement_.clearBindings();  // always succeeds
  }
  void bind(int index, const auto& value) const { statement_.bind(index, value); }
  // NULL unless `present`.
  void bind_if(bool present, int index, const auto& value) const {
    if (present) statement_.bind(index, value);
  }
  void exec() const { statement_.exec(); }
  // Runs it; the number of rows that it changed.
  int changes() const { return statement_.exec(); }
  bool executeStep() const { return statement_.executeStep(); }
  SQLite::Column getColumn(int index) const { return statement_.getColumn(index); }

 private:
  SQLite::Statement& statement_;
};

// From `place` on: metric, value, standard_error, n_generated, n_reference.
inline void bind_metric(const Use& row, int place, const MetricValue& metric) {
  row.bind(place, metric.metric);
  row.bind(place + 1, metric.value);
  row.bind_if(metric.standard_error.has_value(), place + 2, metric.standard_error.value_or(0));
  row.bind(place + 3, metric.n_generated);
  row.bind(place + 4, metric.n_reference);
}

struct Ledger::State {
  std::filesystem::path results;
  std::uint64_t epoch;
  SQLite::Database database;
  std::unordered_map<const char*, SQLite::Statement>
      statements;  // by their text, which is constant
  bool in_batch = false;
  std::optional<cluster::BackgroundSync> log_sync;  // of the write-ahead log

  State(std::filesystem::path folder, std::uint64_t holder)
      : results(std::move(folder)),
        epoch(holder),
        database((results / kLedgerFile).string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {}

  // Compiled once for each text.
  Use prepared(const char* sql) {
    const auto known = statements.find(sql);
    if (known != statements.end()) return Use(known->second);
    return Use(statements.emplace(sql, SQLite::Statement(database, sql)).first->second);
  }

  // `work` as one transaction, or as a part of the batch that is open.
  template <typename Work>
  auto transaction(Work work) {
    return guarded([&] {
      if (in_batch) return work();
      check_fence();
      MARQUEE_CHECK(!log_sync || !log_sync->started(), "a transaction while a batch is committed");
      SQLite::Transaction own(database);
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        own.commit();
      } else {
        auto result = work();
        own.commit();
        return result;
      }
    });
  }

  // Somebody may have taken the folder over while this process stood still. Throws Error{busy}.
  void check_fence() const { cluster::LeaseFence{results / cluster::kLeaseFile, epoch}.check(); }

  // Runs `work`, turning SQLite's errors into ours with the file's name.
  template <typename Work>
  auto guarded(Work work) {
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      const int code = error.getErrorCode();
      const bool ours = code == SQLITE_CONSTRAINT || code == SQLITE_MISUSE ||
                        code == SQLITE_ERROR || code == SQLITE_RANGE;
      const std::string message = (results / kLedgerFile).string() + ": " + error.what();
      if (ours) cluster::throw_defect(message);
      cluster::throw_environment(
          message + (code == SQLITE_FULL
                         ? " (make room; sealed results are taken in at the next start)"
                         : ""));
    }
  }

  void enter_sweep(const SweepFile& sweep);
  void enter_run(const RunId& id, const RunConfig& run);
  void enter_run_of(const std::string& sweep, const RunId& id, const RunConfig& run, int position);
  // Counting attempt and status of a run from its attempts and from what was asked for.
  void refresh_status(const std::string& run);
};

}  // namespace marquee::experiments
