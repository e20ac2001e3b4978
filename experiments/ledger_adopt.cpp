// What a rebuilt ledger takes over from a published copy.
#include "experiments/ledger_state.h"
#include "experiments/schema.h"

namespace marquee::experiments {
namespace {

// Run folders come first: what they say about an attempt counts. A wish that a finished attempt has
// answered stays answered. Mismatches were found again.
constexpr const char* kAdoption = R"sql(
INSERT INTO main.attempts SELECT * FROM published.attempts WHERE status <> 'running'
  ON CONFLICT DO NOTHING;
UPDATE main.attempts SET slot = p.slot, rerun_of = coalesce(main.attempts.rerun_of, p.rerun_of)
  FROM published.attempts p
  WHERE p.run_id = main.attempts.run_id AND p.attempt = main.attempts.attempt;
INSERT INTO main.attempt_metrics SELECT * FROM published.attempt_metrics WHERE true
  ON CONFLICT DO NOTHING;
UPDATE main.runs SET cancelled = p.cancelled FROM published.runs p
  WHERE p.run_id = main.runs.run_id;
UPDATE main.runs SET rerun_after = p.rerun_after FROM published.runs p
  WHERE p.run_id = main.runs.run_id
    AND p.rerun_after >= coalesce((SELECT max(a.attempt) FROM main.attempts a
                                   WHERE a.run_id = p.run_id AND a.status = 'done'), 0);
INSERT INTO main.sweeps SELECT * FROM published.sweeps WHERE true ORDER BY rowid
  ON CONFLICT DO NOTHING;
INSERT INTO main.sweep_runs SELECT * FROM published.sweep_runs WHERE true ORDER BY rowid
  ON CONFLICT DO NOTHING;
INSERT INTO main.requests SELECT * FROM published.requests WHERE true ON CONFLICT DO NOTHING;
INSERT INTO main.evaluations SELECT * FROM published.evaluations WHERE true
  ON CONFLICT DO NOTHING;
INSERT INTO main.evaluation_metrics SELECT * FROM published.evaluation_metrics WHERE true
  ON CONFLICT DO NOTHING;
INSERT INTO main.coordinators SELECT * FROM published.coordinators WHERE true
  ON CONFLICT DO NOTHING;
INSERT INTO main.events (time, epoch, kind, run_id, text)
  SELECT time, epoch, kind, run_id, text FROM published.events
  WHERE kind <> 'rerun_mismatch' ORDER BY event;
)sql";

}  // namespace

bool Ledger::adopt(const std::filesystem::path& published, int& runs) {
  try {
    SQLite::Database old(published.string(), SQLite::OPEN_READONLY);
    if (old.execAndGet("PRAGMA user_version").getInt() != kSchemaVersion ||
        old.execAndGet("PRAGMA quick_check").getString() != "ok")
      return false;
  } catch (const SQLite::Exception&) {
    return false;
  }
  state_->guarded([&] {
    SQLite::Statement attach(state_->database, "ATTACH ? AS published");
    attach.bind(1, published.string());
    attach.exec();
    SQLite::Transaction own(state_->database);
    runs = state_->database.exec(
        "INSERT INTO main.runs SELECT * FROM published.runs WHERE true ON CONFLICT DO NOTHING");
    state_->database.exec(kAdoption);
    own.commit();
    state_->database.exec("DETACH published");
  });
  refresh_all();
  return true;
}

void Ledger::refresh_all() {
  const std::vector<RunState> all = states("");
  state_->transaction([&] {
    for (const RunState& run : all) state_->refresh_status(run.run_id);
  });
}

}  // namespace marquee::experiments
