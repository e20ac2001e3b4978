#include "experiments/ledger.h"

#include <sys/stat.h>

#include "cluster/durable_file.h"
#include "cluster/host.h"
#include "experiments/ledger_state.h"
#include "experiments/migration.h"

namespace marquee::experiments {

void Ledger::State::enter_run(const RunId& id, const RunConfig& run) {
  const bool prompt = run.method == "prompt";
  const Use insert = prepared(
      "INSERT INTO runs (run_id, task, shots, method, seed, base, profile, "
      "protocol, prompt_kind, prompt_length, factors, conditions, "
      "marquee, steps, learning_rate, config, gang, reference, base_hash, data_hash) VALUES "
      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (run_id) DO NOTHING");
  int at = 0;
  insert.bind(++at, id.text());
  insert.bind(++at, run.task);
  insert.bind(++at, run.shots);
  insert.bind(++at, run.method);
  insert.bind(++at, static_cast<std::int64_t>(run.seed));
  insert.bind(++at, run.base);
  insert.bind(++at, run.profile);
  insert.bind(++at, run.protocol);
  insert.bind_if(prompt, ++at, run.prompt_kind);
  insert.bind_if(prompt, ++at, run.prompt_length);
  insert.bind_if(prompt, ++at, run.factors);
  insert.bind_if(prompt, ++at, run.conditions);
  insert.bind_if(prompt, ++at, run.marquee);
  insert.bind_if(trains(run), ++at, run.steps);
  insert.bind_if(trains(run), ++at, run.learning_rate);
  insert.bind(++at, to_json(run).dump());
  insert.bind(++at, run.gang);
  insert.bind(++at, run.reference);
  insert.bind(++at, run.base_hash);
  insert.bind(++at, run.data_hash);
  insert.exec();
}

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Ledger Ledger::open(const std::filesystem::path& results, std::uint64_t epoch) {
  std::unique_ptr<State> state;
  try {
    state = std::make_unique<State>(results, epoch);
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment((results / kLedgerFile).string() + ": cannot be opened (" +
                               error.what() + ")");
  }
  state->guarded([&] {
    SQLite::Database& database = state->database;
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    // The same pages change again and again: they are moved to the main file together.
    database.exec("PRAGMA wal_autocheckpoint = 10000");
    database.exec("PRAGMA cache_size = -8000");  // kB
    database.exec("PRAGMA foreign_keys = OFF");
    migrate(database, results / kLedgerFile);
    database.exec("PRAGMA foreign_keys = ON");
  });
  // Reading the version has made the log. Its name is synced here, its bytes by every commit.
  cluster::sync_directory(results);
  state->log_sync.emplace(results / kLedgerLog);
  return Ledger(std::move(state));
}

std::uint64_t Ledger::epoch() const {
  return state_->epoch;
}

void Ledger::register_run(const RunConfig& run) {
  state_->transaction([&] { state_->enter_run(run_id(run), run); });
}

void Ledger::State::enter_sweep(const SweepFile& sweep) {
  const Use insert = prepared(
      "INSERT INTO sweeps (sweep, file, file_sha256, registered) VALUES (?,?,?,?)"
      " ON CONFLICT (sweep) DO UPDATE SET file = excluded.file, file_sha256 = "
      "excluded.file_sha256");
  insert.bind(1, sweep.name);
  insert.bind(2, sweep.file.filename().string());
  insert.bind(3, sweep.sha256);
  insert.bind(4, cluster::utc_now());
  insert.exec();
}

void Ledger::State::enter_run_of(const std::string& sweep, const RunId& id, const RunConfig& run,
                                 int position) {
  enter_run(id, run);
  const Use link = prepared(
      "INSERT INTO sweep_runs (sweep, run_id, position) VALUES (?,?,?)"
      " ON CONFLICT (sweep, run_id) DO UPDATE SET position = excluded.position");
  link.bind(1, sweep);
  link.bind(2, id.text());
  link.bind(3, position);
  link.exec();
}

void Ledger::register_sweep(const SweepFile& sweep) {
  state_->transaction([&] {
    state_->enter_sweep(sweep);
    int position = 0;
    for (const RunConfig& run : sweep.runs)
      state_->enter_run_of(sweep.name, run_id(run), run, position++);
  });
}

void Ledger::enter_sweep(const SweepFile& sweep) {
  state_->transaction([&] { state_->enter_sweep(sweep); });
}

void Ledger::enter_run(const std::string& sweep, const RunId& id, const RunConfig& run,
                       int position) {
  state_->transaction([&] { state_->enter_run_of(sweep, id, run, position); });
}

std::map<std::string, std::string> Ledger::sweep_hashes() const {
  return state_->guarded([&] {
    const Use query = state_->prepared("SELECT sweep, file_sha256 FROM sweeps");
    std::map<std::string, std::string> hashes;
    while (query.executeStep())
      hashes[query.getColumn(0).getString()] = query.getColumn(1).getString();
    return hashes;
  });
}

bool Ledger::has_run(const std::string& run_id) const {
  return state_->guarded([&] {
    const Use query = state_->prepared("SELECT 1 FROM runs WHERE run_id = ?");
    query.bind(1, run_id);
    return query.executeStep();
  });
}

void Ledger::add_event(const std::string& kind, const std::string& run_id,
                       const std::string& text) {
  state_->guarded([&] {
    const Use insert =
        state_->prepared("INSERT INTO events (time, epoch, kind, run_id, text) VALUES (?,?,?,?,?)");
    insert.bind(1, cluster::utc_now());
    insert.bind(2, static_cast<std::int64_t>(state_->epoch));
    insert.bind(3, kind);
    insert.bind_if(!run_id.empty(), 4, run_id);
    insert.bind(5, text);
    insert.exec();
  });
}

std::vector<RunState> Ledger::states(const std::string& sweep) const {
  return state_->guarded([&] {
    const Use query = state_->prepared(
        "SELECT r.run_id, r.status, (SELECT count(*) FROM attempts a WHERE "
        "a.run_id = r.run_id) FROM runs r"
        " LEFT JOIN sweep_runs s ON s.run_id = r.run_id AND s.sweep = ?1 WHERE "
        "?1 = '' OR s.sweep = ?1 ORDER BY s.position, r.run_id");
    query.bind(1, sweep);
    std::vector<RunState> states;
    while (query.executeStep())
      states.push_back({query.getColumn(0).getString(), query.getColumn(1).getString(),
                        query.getColumn(2).getInt()});
    return states;
  });
}

void Ledger::begin_batch() {
  MARQUEE_CHECK(!state_->in_batch, "a batch in a batch");
  state_->guarded([&] {
    // COMMIT writes the log and leaves its sync to start_commit. SQLite takes this setting when it
    // compiles it, and only between transactions.
    state_->database.exec("PRAGMA synchronous = NORMAL");
    state_->prepared("BEGIN").exec();
  });
  state_->in_batch = true;
}

bool Ledger::in_batch() const {
  return state_->in_batch;
}

void Ledger::commit_batch() {
  if (committing()) finish_commit();
  start_commit();
  finish_commit();
}

void Ledger::start_commit() {
  MARQUEE_CHECK(state_->in_batch, "no batch to commit");
  MARQUEE_CHECK(!committing(), "a commit while another is under way");
  state_->check_fence();
  state_->guarded([&] {
    state_->prepared("COMMIT").exec();
    state_->database.exec("PRAGMA synchronous = FULL");
  });
  state_->in_batch = false;
  state_->log_sync->start();
}

bool Ledger::committing() const {
  return state_->log_sync->started();
}

bool Ledger::commit_ready() const {
  return state_->log_sync->ready();
}

int Ledger::commit_fd() const {
  return state_->log_sync->fd();
}

void Ledger::finish_commit() {
  state_->log_sync->finish();
}

void Ledger::publish() {
  MARQUEE_CHECK(!in_batch() && !committing(), "a publication of what is not durable");
  const std::filesystem::path target = state_->results / kPublishedFile;
  cluster::StagedFile staged(target);
  state_->guarded([&] {
    const Use copy = state_->prepared("VACUUM INTO ?");
    copy.bind(1, staged.staging_path().string());
    copy.exec();
  });
  if (::chmod(staged.staging_path().c_str(), 0444) != 0)
    cluster::throw_environment(target.string() + ": cannot be made read-only");
  state_->check_fence();
  staged.commit();
}

}  // namespace marquee::experiments
