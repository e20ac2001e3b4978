#include "experiments/ledger_takeover.h"

#include <fstream>

#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/ledger_state.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 5;
constexpr std::size_t kLogHeaderBytes = 32;  // with the salts that change when the log starts anew

std::string log_header(const fs::path& log) {
  std::ifstream file(log, std::ios::binary);
  std::string bytes(kLogHeaderBytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

void remove_all_of(const fs::path& database) {
  std::error_code error;
  for (const char* part : {"", "-wal", "-shm", "-journal"})
    fs::remove(database.string() + part, error);
}

// Pages move from the log into the database at any time: the database is copied first and the log
// after it, so that the log has what the copy lacks, unless the log was started anew in between.
bool copy_both(const fs::path& ledger, const fs::path& log, const fs::path& copy) {
  remove_all_of(copy);
  const std::string before = log_header(log);
  fs::copy_file(ledger, copy);
  if (fs::exists(log)) fs::copy_file(log, copy.string() + "-wal");
  return log_header(log) == before && log_header(copy.string() + "-wal") == before;
}

// Moves what the log holds into the copy, and looks whether all of it is sound.
void fold(const fs::path& copy) {
  SQLite::Database database(copy.string(), SQLite::OPEN_READWRITE);
  database.exec("PRAGMA journal_mode = DELETE");
  SQLite::Statement check(database, "PRAGMA quick_check(1)");
  if (!check.executeStep() || check.getColumn(0).getString() != "ok")
    cluster::throw_environment("is damaged");
}

}  // namespace

void detach_ledger(const fs::path& results) {
  const fs::path ledger = results / kLedgerFile, log = results / kLedgerLog;
  if (!fs::exists(ledger)) return;
  const fs::path copy = results / (".ledger.takeover-" + std::to_string(::getpid()) + ".sqlite");
  try {
    for (int attempt = 1; !copy_both(ledger, log, copy); ++attempt) {
      if (attempt == kTries)
        cluster::throw_environment("somebody writes it still: another host's coordinator lives");
    }
    fold(copy);
    cluster::sync_file(copy);
    // First the database, which has everything; a log that is left behind says nothing new.
    fs::rename(copy, ledger);
    fs::remove(log);
    fs::remove(ledger.string() + "-shm");
    cluster::sync_directory(results);
  } catch (const std::exception& error) {
    remove_all_of(copy);
    cluster::throw_environment(ledger.string() +
                               ": cannot be taken over from another host's coordinator (" +
                               error.what() + "); marquee doctor --rebuild makes it anew");
  }
}

Ledger open_ledger(const fs::path& results, const cluster::Lease& lease) {
  if (lease.taken_over()) detach_ledger(results);
  return Ledger::open(results, lease.epoch());
}

}  // namespace marquee::experiments
