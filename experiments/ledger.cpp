#include "experiments/ledger.h"

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

void bind_or_null(SQLite::Statement& statement, int index, bool present, const auto& value) {
  if (present) {
    statement.bind(index, value);
  } else {
    statement.bind(index);
  }
}

}  // namespace

struct Ledger::State {
  fs::path results;
  std::uint64_t epoch;
  SQLite::Database database;

  State(fs::path folder, std::uint64_t holder)
      : results(std::move(folder)),
        epoch(holder),
        database((results / kLedgerFile).string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {}

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
    SQLite::Statement insert(database,
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
    bind_or_null(insert, ++at, prompt, run.prompt_kind);
    bind_or_null(insert, ++at, prompt, run.prompt_length);
    bind_or_null(insert, ++at, prompt, run.factors);
    bind_or_null(insert, ++at, prompt, run.conditions);
    bind_or_null(insert, ++at, prompt, run.marquee);
    bind_or_null(insert, ++at, trains(run), run.steps);
    bind_or_null(insert, ++at, trains(run), run.learning_rate);
    insert.bind(++at, to_json(run).dump());
    insert.exec();
  }
  // From the attempts: done if one is, running if one of this epoch is, failed if all ended, else
  // pending.
  void refresh_status(const std::string& run) {
    SQLite::Statement update(database,
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
  state_->guarded([&] { state_->enter_run(run); });
}

void Ledger::register_sweep(const SweepFile& sweep) {
  state_->guarded([&] {
    SQLite::Transaction transaction(state_->database);
    SQLite::Statement insert(
        state_->database,
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
      SQLite::Statement link(
          state_->database,
          "INSERT INTO sweep_runs (sweep, run_id, position) VALUES (?,?,?)"
          " ON CONFLICT (sweep, run_id) DO UPDATE SET position = excluded.position");
      link.bind(1, sweep.name);
      link.bind(2, run_id(run).text());
      link.bind(3, position++);
      link.exec();
    }
    transaction.commit();
  });
}

bool Ledger::has_run(const std::string& run_id) const {
  return state_->guarded([&] {
    SQLite::Statement query(state_->database, "SELECT 1 FROM runs WHERE run_id = ?");
    query.bind(1, run_id);
    return query.executeStep();
  });
}

int Ledger::start_attempt(const RunId& run, const std::string& host, int slot) {
  return state_->guarded([&] {
    SQLite::Transaction transaction(state_->database);
    SQLite::Statement last(state_->database,
                           "SELECT coalesce(max(attempt), 0) FROM attempts WHERE run_id = ?");
    last.bind(1, run.text());
    last.executeStep();
    int attempt = last.getColumn(0).getInt();
    for (const int number : attempt_numbers(run_dir(state_->results, run)))
      attempt = std::max(attempt, number);
    ++attempt;
    SQLite::Statement insert(state_->database,
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
    transaction.commit();
    return attempt;
  });
}

void Ledger::finish_attempt(const AttemptRecord& record) {
  state_->guarded([&] {
    SQLite::Transaction transaction(state_->database);
    const bool failed = !record.cause.kind.empty();
    const ResultRecord result = record.result.value_or(ResultRecord{});
    const bool done = record.result.has_value();
    SQLite::Statement insert(state_->database,
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
    bind_or_null(insert, ++at, failed, record.cause.kind);
    bind_or_null(insert, ++at, failed, record.cause.message);
    bind_or_null(insert, ++at, failed && record.cause.exit_code >= 0, record.cause.exit_code);
    bind_or_null(insert, ++at, failed && record.cause.signal > 0, record.cause.signal);
    bind_or_null(insert, ++at, failed, record.cause.log_tail);
    bind_or_null(insert, ++at, done, result.trainable_parameters);
    bind_or_null(insert, ++at, done, result.seconds);
    bind_or_null(insert, ++at, done, result.result_sha256);
    bind_or_null(insert, ++at, done && !result.prompt_sha256.empty(), result.prompt_sha256);
    bind_or_null(insert, ++at, done && !result.tokens_sha256.empty(), result.tokens_sha256);
    bind_or_null(insert, ++at, done, text_of(result.class_prior));
    bind_or_null(insert, ++at, done, text_of(result.fingerprint));
    bind_or_null(insert, ++at, done, text_of(result.provenance));
    insert.exec();
    for (const MetricValue& metric : result.metrics) {
      SQLite::Statement row(
          state_->database,
          "INSERT INTO metrics (run_id, metric, value, standard_error, n_generated, n_reference, "
          "protocol, network_hash)"
          " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (run_id, metric, protocol) DO NOTHING");
      row.bind(1, record.run_id);
      row.bind(2, metric.metric);
      row.bind(3, metric.value);
      bind_or_null(row, 4, metric.standard_error.has_value(), metric.standard_error.value_or(0));
      row.bind(5, metric.n_generated);
      row.bind(6, metric.n_reference);
      row.bind(7, metric.protocol);
      row.bind(8, metric.network_hash);
      row.exec();
    }
    state_->refresh_status(record.run_id);
    transaction.commit();
  });
}

void Ledger::add_event(const std::string& kind, const std::string& run_id,
                       const std::string& text) {
  state_->guarded([&] {
    SQLite::Statement insert(
        state_->database,
        "INSERT INTO events (time, epoch, kind, run_id, text) VALUES (?,?,?,?,?)");
    insert.bind(1, cluster::utc_now());
    insert.bind(2, static_cast<std::int64_t>(state_->epoch));
    insert.bind(3, kind);
    bind_or_null(insert, 4, !run_id.empty(), run_id);
    insert.bind(5, text);
    insert.exec();
  });
}

std::vector<RunState> Ledger::states(const std::string& sweep) const {
  return state_->guarded([&] {
    SQLite::Statement query(state_->database,
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
    SQLite::Statement query(state_->database,
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
    SQLite::Statement query(
        state_->database,
        "SELECT 1 FROM attempts WHERE run_id = ? AND attempt = ? AND status <> 'running'");
    query.bind(1, run_id);
    query.bind(2, attempt);
    return query.executeStep();
  });
}

void Ledger::publish() {
  const fs::path target = state_->results / kPublishedFile;
  cluster::StagedFile staged(target);
  state_->guarded([&] {
    SQLite::Statement copy(state_->database, "VACUUM INTO ?");
    copy.bind(1, staged.staging_path().string());
    copy.exec();
  });
  if (::chmod(staged.staging_path().c_str(), 0444) != 0)
    cluster::throw_environment(target.string() + ": cannot be made read-only");
  staged.commit();
}

}  // namespace marquee::experiments
