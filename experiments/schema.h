// The ledger's schema (docs/results-database.md explains it to users). Migrations go forward only:
// a new version appends its statements.
#pragma once

namespace marquee::experiments {

inline constexpr int kSchemaVersion = 1;

inline constexpr const char* kSchema = R"sql(
CREATE TABLE sweeps (
  sweep TEXT PRIMARY KEY,
  file TEXT NOT NULL,
  file_sha256 TEXT NOT NULL,
  registered TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  task TEXT NOT NULL,
  shots TEXT NOT NULL,
  method TEXT NOT NULL,
  seed INTEGER NOT NULL,
  base TEXT NOT NULL,
  profile TEXT NOT NULL,
  protocol TEXT NOT NULL,
  prompt_kind TEXT,
  prompt_length INTEGER,
  factors INTEGER,
  conditions TEXT,
  marquee TEXT,
  steps INTEGER,
  learning_rate REAL,
  config TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'failed'))
) STRICT;

CREATE TABLE sweep_runs (
  sweep TEXT NOT NULL REFERENCES sweeps,
  run_id TEXT NOT NULL REFERENCES runs,
  position INTEGER NOT NULL,
  PRIMARY KEY (sweep, run_id)
) STRICT;

CREATE TABLE attempts (
  run_id TEXT NOT NULL REFERENCES runs,
  attempt INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
  started TEXT,
  ended TEXT,
  host TEXT,
  slot INTEGER,
  cause_kind TEXT,
  cause_message TEXT,
  exit_code INTEGER,
  signal INTEGER,
  log_tail TEXT,
  trainable_parameters INTEGER,
  seconds REAL,
  result_sha256 TEXT,
  prompt_sha256 TEXT,
  tokens_sha256 TEXT,
  class_prior TEXT,
  fingerprint TEXT,
  provenance TEXT,
  PRIMARY KEY (run_id, attempt)
) STRICT;

CREATE TABLE metrics (
  run_id TEXT NOT NULL REFERENCES runs,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  standard_error REAL,
  n_generated INTEGER NOT NULL,
  n_reference INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  network_hash TEXT NOT NULL,
  PRIMARY KEY (run_id, metric, protocol)
) STRICT;

CREATE TABLE events (
  event INTEGER PRIMARY KEY,
  time TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL,
  run_id TEXT,
  text TEXT NOT NULL
) STRICT;

CREATE VIEW results AS
SELECT r.run_id AS run_id,
       (SELECT s.sweep FROM sweep_runs s WHERE s.run_id = r.run_id ORDER BY s.rowid LIMIT 1) AS sweep,
       r.task AS task, r.shots AS shots, r.method AS method, r.seed AS seed, r.status AS status,
       r.base AS base, r.profile AS profile, r.protocol AS protocol,
       r.prompt_kind AS prompt_kind, r.prompt_length AS prompt_length, r.factors AS factors,
       r.conditions AS conditions, r.marquee AS marquee, r.steps AS steps, r.learning_rate AS learning_rate,
       a.attempt AS attempt,
       max(CASE WHEN m.metric = 'fid_mini' THEN m.value END) AS fid_mini,
       max(CASE WHEN m.metric = 'kid_mini' THEN m.value END) AS kid_mini,
       max(CASE WHEN m.metric = 'precision' THEN m.value END) AS precision,
       max(CASE WHEN m.metric = 'recall' THEN m.value END) AS recall,
       max(CASE WHEN m.metric = 'density' THEN m.value END) AS density,
       max(CASE WHEN m.metric = 'coverage' THEN m.value END) AS coverage,
       a.trainable_parameters AS trainable_parameters, a.seconds AS seconds
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id
  AND a.attempt = (SELECT b.attempt FROM attempts b WHERE b.run_id = r.run_id
                   ORDER BY b.status = 'done' DESC, b.attempt DESC LIMIT 1)
LEFT JOIN metrics m ON m.run_id = r.run_id AND m.protocol = r.protocol
GROUP BY r.run_id;

CREATE VIEW leaderboard AS
SELECT task, shots, method, protocol, count(*) AS seeds,
       avg(fid_mini) AS fid_mini, min(fid_mini) AS fid_mini_best, max(fid_mini) AS fid_mini_worst,
       avg(kid_mini) AS kid_mini, avg(precision) AS precision, avg(recall) AS recall,
       avg(density) AS density, avg(coverage) AS coverage
FROM results WHERE status = 'done'
GROUP BY task, shots, method, protocol
ORDER BY task, shots, fid_mini;

CREATE VIEW few_shot AS
SELECT task, method, seed, protocol, shots, fid_mini, kid_mini, precision, recall, density, coverage
FROM results WHERE status = 'done' AND shots GLOB '[0-9]*'
ORDER BY task, method, seed, CAST(shots AS INTEGER);

CREATE VIEW failures AS
SELECT a.run_id AS run_id, r.task AS task, r.shots AS shots, r.method AS method, r.seed AS seed,
       a.attempt AS attempt, a.status AS status, a.cause_kind AS cause, a.cause_message AS message,
       a.exit_code AS exit_code, a.signal AS signal, a.host AS host, a.ended AS ended, a.log_tail AS log_tail
FROM attempts a JOIN runs r ON r.run_id = a.run_id
WHERE a.status IN ('failed', 'interrupted')
ORDER BY a.ended;
)sql";

}  // namespace marquee::experiments
