// The ledger: one SQLite file with sweeps, runs, attempts, metrics and events, written by whoever
// holds the results folder's lease and nobody else; and results.sqlite, its published copy for
// readers.
//
// Nothing is committed or published once a later epoch has taken the folder's lease: Error{busy}.
// Opened with locking_mode=EXCLUSIVE before WAL, synchronous=FULL; a batch is synced here. A full
// disk throws environment; sealed results are taken in later (recovery.h). Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/evaluation_record.h"
#include "experiments/run_config.h"
#include "experiments/run_folder.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

struct RunState {
  std::string run_id;
  std::string status;  // pending, running, done, failed, cancelled
  int attempts = 0;    // made so far
};

// Whether an attempt's folder is taken when the attempt starts; simulations may keep no files.
enum class AttemptFolder { claimed, none };

// An entry of the inbox as the ledger remembers it.
struct TakenRequest {
  std::string name;        // of the entry in the inbox; each is taken in once
  std::string kind;        // cancel, rerun, attempt, evaluation, refused
  std::string made, host;  // when and where, as it says itself; may be empty
  std::string text;        // what became of it
};

// What `marquee status` tells about the holder of the folder.
struct CoordinatorState {
  std::string sweep, host;
  std::int64_t pid = 0;
  int workers = 0;
  std::size_t runs = 0, done = 0, failed = 0, cancelled = 0;
  std::size_t fresh_done = 0;  // by this coordinator
  std::optional<double> runs_per_hour, seconds_left;
  bool ended = false;
};

struct SlotState {
  std::string host;
  int slot = 0;
  std::string run_id;  // empty: idle, and so is what follows
  int attempt = 0;
  std::string phase;
  std::int64_t step = 0, total = 0;
  std::string since, progressed, deadline;  // UTC: start, last progress, next progress due
};

class Ledger {
 public:
  // Creates or opens <results>/ledger.sqlite. `epoch`: of the lease.
  static Ledger open(const std::filesystem::path& results, std::uint64_t epoch);
  Ledger(Ledger&&) noexcept;
  ~Ledger();

  std::uint64_t epoch() const;

  // Enters the sweep and its runs; known ones stay as they are.
  void register_sweep(const SweepFile& sweep);
  // The same in pieces, for sweeps so large that their first runs should not wait for the last: the
  // sweep without its runs, and one of these, `id` being its id.
  void enter_sweep(const SweepFile& sweep);
  void enter_run(const std::string& sweep, const RunId& id, const RunConfig& run, int position);
  void register_run(const RunConfig& run);
  std::map<std::string, std::string> sweep_hashes() const;  // SHA-256 of each sweep's file, by name
  bool has_run(const std::string& run_id) const;

  // Enters a new attempt as running and returns its number: above every entry and, where its folder
  // is claimed, every folder (nobody else gets it then: run_folder.h).
  int start_attempt(const RunId& run, const std::string& host, int slot,
                    AttemptFolder folder = AttemptFolder::claimed);
  // One transaction: attempt, metrics and status of the run; of finished attempts the newest
  // counts. When it differs from the finished one before it in prompt, tokens or metrics, event
  // `rerun_mismatch` names both. False when the ledger knows the attempt's end: the same record
  // again changes nothing.
  bool finish_attempt(const AttemptRecord& record);
  // Whether finish_attempt would enter this end: the attempt is unknown, running, or was taken for
  // cut off and turns out to be done. Not entered is a result under a claim beside that of another
  // attempt, and one of an attempt taken for cut off after a later one has finished the run.
  bool takes(const AttemptRecord& record) const;
  void add_event(const std::string& kind, const std::string& run_id, const std::string& text);

  // Runs of a sweep in its order; "" for all.
  std::vector<RunState> states(const std::string& sweep) const;
  // Attempts entered as running under an epoch before ours.
  std::vector<std::pair<std::string, int>> stale_attempts() const;

  // Sets an unfinished run aside until a rerun is wanted; of a finished one that is to be computed
  // again, takes that wish back. False when there is nothing to set aside.
  bool cancel(const std::string& run_id);
  // Wants a new attempt of a run that is done, failed or cancelled: it is pending from now on.
  // False when it is pending or running anyway.
  bool want_rerun(const std::string& run_id);
  std::optional<RunConfig> configuration(const std::string& run_id) const;
  std::string status(const std::string& run_id) const;  // "" for an unknown run
  // False when this entry of the inbox has been taken in before.
  bool enter_request(const TakenRequest& request);
  // In the place of an earlier one of the same id.
  void enter_evaluation(const EvaluationRecord& evaluation);
  bool has_evaluation(const std::string& id) const;
  // Replaces what is known about this epoch's coordinator and about the slots.
  void enter_live(const CoordinatorState& coordinator, const std::vector<SlotState>& slots);

  // After the run folders have been entered: takes over from a published copy what they do not
  // hold. `runs`: how many only the copy knew. False when it cannot be read or has another schema
  // version.
  bool adopt(const std::filesystem::path& published, int& runs);

  // Everything entered between these two is one transaction with one sync: nothing of it is durable
  // before commit_batch returns. A batch that is not committed is undone when the ledger closes.
  void begin_batch();
  void commit_batch();
  bool in_batch() const;
  // commit_batch in two steps, for who has other work during the sync: the batch is committed, and
  // durable once finish_commit has returned; that waits, unless commit_ready(). commit_fd() can be
  // read when it is. Meanwhile the next batch may be begun and filled, but nothing else be
  // committed.
  void start_commit();
  bool committing() const;
  bool commit_ready() const;
  int commit_fd() const;
  void finish_commit();

  // Writes results.sqlite: VACUUM INTO aside, synced, mode 0444, renamed. Not within a batch, nor
  // while one is being committed: readers see what is durable.
  void publish();

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  bool is_superseded(const AttemptRecord& record) const;
  void note_refusal(const AttemptRecord& record);
  void note_mismatch(const std::string& run_id, int attempt);
  void enter_end(const AttemptRecord& record);
  void enter_facts(const std::string& run_id, int attempt);
  void enter_metrics(const AttemptRecord& record);
  void refresh_all();
  std::unique_ptr<State> state_;
};

}  // namespace marquee::experiments
