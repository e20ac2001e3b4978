// The ledger: one SQLite file with sweeps, runs, attempts, metrics and events, written by whoever
// holds the results folder's lease and nobody else; and results.sqlite, its published copy for
// readers.
//
// Opened with locking_mode=EXCLUSIVE before WAL, synchronous=FULL. A full disk throws environment;
// sealed results are taken in later (recovery.h). Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "experiments/run_folder.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

struct RunState {
  std::string run_id;
  std::string status;  // pending, running, done, failed
  int attempts = 0;    // made so far
};

class Ledger {
 public:
  // Creates or opens <results>/ledger.sqlite. `epoch`: of the lease.
  static Ledger open(const std::filesystem::path& results, std::uint64_t epoch);
  Ledger(Ledger&&) noexcept;
  ~Ledger();

  // Enters the sweep and its runs; known ones stay as they are.
  void register_sweep(const SweepFile& sweep);
  void register_run(const RunConfig& run);
  bool has_run(const std::string& run_id) const;

  // Enters a new attempt as running and returns its number: one above every entry and every folder.
  int start_attempt(const RunId& run, const std::string& host, int slot);
  // One transaction: attempt, metrics and status of the run. The same record again changes nothing.
  void finish_attempt(const AttemptRecord& record);
  void add_event(const std::string& kind, const std::string& run_id, const std::string& text);

  // Runs of a sweep in its order; "" for all.
  std::vector<RunState> states(const std::string& sweep) const;
  // Attempts entered as running under an epoch before ours.
  std::vector<std::pair<std::string, int>> stale_attempts() const;
  // Whether this attempt has been entered as ended.
  bool attempt_ended(const std::string& run_id, int attempt) const;

  // Everything entered between these two is one transaction with one sync: nothing of it is durable
  // before commit_batch returns. A batch that is not committed is undone when the ledger closes.
  void begin_batch();
  void commit_batch();

  // Writes results.sqlite: VACUUM INTO aside, synced, mode 0444, renamed.
  void publish();

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace marquee::experiments
