#include "experiments/ledger.h"

#include <type_traits>
#include <unordered_map>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "experiments/schema.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kLedgerFile = "ledger.sqlite";
constexpr const char* kPublishedFile = "results.sqlite";

std::string text_of(const json& value) {
  return value.is_null() ? "" : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

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
  bool executeStep() const { return statement_.executeStep(); }
  SQLite::Column getColumn(int index) const { return statement_.getColumn(index); }

 private:
  SQLite::Statement& statement_;
};

}  // namespace

struct Ledger::State {
  fs::path results;
  std::uint64_t epoch;
  SQLite::Database database;
  std::unordered_map<const char*, SQLite::Statement>
      statements;  // by their text, which is constant
  bool in_batch = false;

  State(fs::path folder, std::uint64_t holder)
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

  void enter_run(const RunConfig& run) {
    const bool prompt = run.method == "prompt";
    const Use insert = prepared(
        "INSERT INTO runs (run_id, task, shots, method, seed, base, profile, "
        "protocol, prompt_kind, prompt_length, factors, conditions, "
        "marquee, steps, learning_rate, config) VALUES "
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (run_id) DO NOTHING");
    int at = 0;
    insert.bind(++at, run_id(run).text());
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
    insert.exec();
  }
  // From the attempts: done if one is, running if one of this epoch is, failed if all ended, else
  // pending.
  void refresh_status(const std::string& run) {
    const Use update = prepared(
        "UPDATE runs SET status = CASE"
        " WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = runs.run_id "
        "AND a.status = 'done') THEN 'done'"
        " WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = runs.run_id "
        "AND a.status = 'running') THEN 'running'"
        " WHEN (SELECT a.status FROM attempts a WHERE a.run_id = runs.run_id "
        "ORDER BY a.attempt DESC LIMIT 1) = 'failed' THEN 'failed'"
        " ELSE 'pending' END WHERE run_id = ?");
    update.bind(1, run);
    update.exec();
  }
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Ledger Ledger::open(const fs::path& results, std::uint64_t epoch) {
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
    database.exec("PRAGMA foreign_keys = ON");
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    if (version > kSchemaVersion) {
      cluster::throw_environment((results / kLedgerFile).string() + ": has schema version " +
                                 std::to_string(version) + ", this program knows " +
                                 std::to_string(kSchemaVersion) + "; use a newer marquee");
    }
    if (version == 0) {
      SQLite::Transaction transaction(database);
      database.exec(kSchema);
      database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
      transaction.commit();
    }
  });
  return Ledger(std::move(state));
}

void Ledger::register_run(const RunConfig& run) {
  state_->transaction([&] { state_->enter_run(run); });
}

void Ledger::register_sweep(const SweepFile& sweep) {
  state_->transaction([&] {
    const Use insert = state_->prepared(
        "INSERT INTO sweeps (sweep, file, file_sha256, registered) VALUES (?,?,?,?)"
        " ON CONFLICT (sweep) DO UPDATE SET file = excluded.file, file_sha256 = "
        "excluded.file_sha256");
    insert.bind(1, sweep.name);
    insert.bind(2, sweep.file.filename().string());
    insert.bind(3, sweep.sha256);
    insert.bind(4, cluster::utc_now());
    insert.exec();
    int position = 0;
    for (const RunConfig& run : sweep.runs) {
      state_->enter_run(run);
      const Use link = state_->prepared(
          "INSERT INTO sweep_runs (sweep, run_id, position) VALUES (?,?,?)"
          " ON CONFLICT (sweep, run_id) DO UPDATE SET position = excluded.position");
      link.bind(1, sweep.name);
      link.bind(2, run_id(run).text());
      link.bind(3, position++);
      link.exec();
    }
  });
}

bool Ledger::has_run(const std::string& run_id) const {
  return state_->guarded([&] {
    const Use query = state_->prepared("SELECT 1 FROM runs WHERE run_id = ?");
    query.bind(1, run_id);
    return query.executeStep();
  });
}

int Ledger::start_attempt(const RunId& run, const std::string& host, int slot) {
  return state_->transaction([&] {
    const Use last =
        state_->prepared("SELECT coalesce(max(attempt), 0) FROM attempts WHERE run_id = ?");
    last.bind(1, run.text());
    last.executeStep();
    int attempt = last.getColumn(0).getInt();
    for (const int number : attempt_numbers(run_dir(state_->results, run)))
      attempt = std::max(attempt, number);
    ++attempt;
    const Use insert = state_->prepared(
        "INSERT INTO attempts (run_id, attempt, epoch, status, started, host, "
        "slot) VALUES (?,?,?,'running',?,?,?)");
    insert.bind(1, run.text());
    insert.bind(2, attempt);
    insert.bind(3, static_cast<std::int64_t>(state_->epoch));
    insert.bind(4, cluster::utc_now());
    insert.bind(5, host);
    insert.bind(6, slot);
    insert.exec();
    state_->refresh_status(run.text());
    return attempt;
  });
}

void Ledger::finish_attempt(const AttemptRecord& record) {
  state_->transaction([&] {
    const bool failed = !record.cause.kind.empty();
    const ResultRecord result = record.result.value_or(ResultRecord{});
    const bool done = record.result.has_value();
    const Use insert = state_->prepared(
        "INSERT INTO attempts (run_id, attempt, epoch, status, started, "
        "ended, host, cause_kind, cause_message, exit_code, signal, log_tail,"
        " trainable_parameters, seconds, result_sha256, prompt_sha256, "
        "tokens_sha256, class_prior, fingerprint, provenance)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT "
        "(run_id, attempt) DO UPDATE SET"
        " status = excluded.status, started = excluded.started, ended = "
        "excluded.ended, host = excluded.host,"
        " cause_kind = excluded.cause_kind, cause_message = "
        "excluded.cause_message, exit_code = excluded.exit_code,"
        " signal = excluded.signal, log_tail = excluded.log_tail, "
        "trainable_parameters = excluded.trainable_parameters,"
        " seconds = excluded.seconds, result_sha256 = excluded.result_sha256, "
        "prompt_sha256 = excluded.prompt_sha256,"
        " tokens_sha256 = excluded.tokens_sha256, class_prior = "
        "excluded.class_prior, fingerprint = excluded.fingerprint,"
        " provenance = excluded.provenance WHERE attempts.status = 'running'");
    int at = 0;
    insert.bind(++at, record.run_id);
    insert.bind(++at, record.attempt);
    insert.bind(++at, static_cast<std::int64_t>(record.epoch));
    insert.bind(++at, record.status);
    insert.bind(++at, record.started);
    insert.bind(++at, record.ended);
    insert.bind(++at, record.host);
    insert.bind_if(failed, ++at, record.cause.kind);
    insert.bind_if(failed, ++at, record.cause.message);
    insert.bind_if(failed && record.cause.exit_code >= 0, ++at, record.cause.exit_code);
    insert.bind_if(failed && record.cause.signal > 0, ++at, record.cause.signal);
    insert.bind_if(failed, ++at, record.cause.log_tail);
    insert.bind_if(done, ++at, result.trainable_parameters);
    insert.bind_if(done, ++at, result.seconds);
    insert.bind_if(done, ++at, result.result_sha256);
    insert.bind_if(done && !result.prompt_sha256.empty(), ++at, result.prompt_sha256);
    insert.bind_if(done && !result.tokens_sha256.empty(), ++at, result.tokens_sha256);
    insert.bind_if(done, ++at, text_of(result.class_prior));
    insert.bind_if(done, ++at, text_of(result.fingerprint));
    insert.bind_if(done, ++at, text_of(result.provenance));
    insert.exec();
    for (const MetricValue& metric : result.metrics) {
      const Use row = state_->prepared(
          "INSERT INTO metrics (run_id, metric, value, standard_error, n_generated, n_reference, "
          "protocol, network_hash)"
          " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (run_id, metric, protocol) DO NOTHING");
      row.bind(1, record.run_id);
      row.bind(2, metric.metric);
      row.bind(3, metric.value);
      row.bind_if(metric.standard_error.has_value(), 4, metric.standard_error.value_or(0));
      row.bind(5, metric.n_generated);
      row.bind(6, metric.n_reference);
      row.bind(7, metric.protocol);
      row.bind(8, metric.network_hash);
      row.exec();
    }
    state_->refresh_status(record.run_id);
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

std::vector<std::pair<std::string, int>> Ledger::stale_attempts() const {
  return state_->guarded([&] {
    const Use query = state_->prepared(
        "SELECT run_id, attempt FROM attempts WHERE status = 'running' AND "
        "epoch < ? ORDER BY run_id, attempt");
    query.bind(1, static_cast<std::int64_t>(state_->epoch));
    std::vector<std::pair<std::string, int>> attempts;
    while (query.executeStep())
      attempts.emplace_back(query.getColumn(0).getString(), query.getColumn(1).getInt());
    return attempts;
  });
}

bool Ledger::attempt_ended(const std::string& run_id, int attempt) const {
  return state_->guarded([&] {
    const Use query = state_->prepared(
        "SELECT 1 FROM attempts WHERE run_id = ? AND attempt = ? AND status <> 'running'");
    query.bind(1, run_id);
    query.bind(2, attempt);
    return query.executeStep();
  });
}

void Ledger::begin_batch() {
  MARQUEE_CHECK(!state_->in_batch, "a batch in a batch");
  state_->guarded([&] { state_->prepared("BEGIN").exec(); });
  state_->in_batch = true;
}

void Ledger::commit_batch() {
  MARQUEE_CHECK(state_->in_batch, "no batch to commit");
  state_->guarded([&] { state_->prepared("COMMIT").exec(); });
  state_->in_batch = false;
}

void Ledger::publish() {
  const fs::path target = state_->results / kPublishedFile;
  cluster::StagedFile staged(target);
  state_->guarded([&] {
    const Use copy = state_->prepared("VACUUM INTO ?");
    copy.bind(1, staged.staging_path().string());
    copy.exec();
  });
  if (::chmod(staged.staging_path().c_str(), 0444) != 0)
    cluster::throw_environment(target.string() + ": cannot be made read-only");
  staged.commit();
}

}  // namespace marquee::experiments
