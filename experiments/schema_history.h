// The ledger's schema before 1.0, as steps: what ledgers of these versions are, and how they are
// led to schema 1.0 (experiments/schema.h). None of it changes any more.
#pragma once

namespace marquee::experiments {

// Version 1: as first released.
inline constexpr const char* kSchemaStep1 = R"sql(
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

// Version 2: metrics belong to an attempt and the newest finished attempt counts; runs can be
// cancelled and asked for again; what was taken in from the inbox; the live state of coordinators
// and slots.
inline constexpr const char* kSchemaStep2 = R"sql(
DROP VIEW failures;
DROP VIEW few_shot;
DROP VIEW leaderboard;
DROP VIEW results;

CREATE TABLE new_runs (
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
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'running', 'done', 'failed', 'cancelled')),
  counting_attempt INTEGER,  -- the newest finished one: its values count
  rerun_after INTEGER,       -- an attempt above this one is wanted
  cancelled TEXT             -- when the run was set aside by `marquee cancel`
) STRICT;
INSERT INTO new_runs
SELECT r.*, (SELECT max(a.attempt) FROM attempts a WHERE a.run_id = r.run_id AND a.status = 'done'),
       NULL, NULL
FROM runs r ORDER BY r.rowid;
DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;

ALTER TABLE attempts ADD COLUMN rerun_of INTEGER;

CREATE TABLE attempt_metrics (
  run_id TEXT NOT NULL REFERENCES runs,
  attempt INTEGER NOT NULL,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  standard_error REAL,
  n_generated INTEGER NOT NULL,
  n_reference INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  network_hash TEXT NOT NULL,
  PRIMARY KEY (run_id, attempt, metric, protocol)
) STRICT;
INSERT INTO attempt_metrics
SELECT m.run_id,
       coalesce((SELECT r.counting_attempt FROM runs r WHERE r.run_id = m.run_id), 1),
       m.metric, m.value, m.standard_error, m.n_generated, m.n_reference, m.protocol, m.network_hash
FROM metrics m ORDER BY m.rowid;
DROP TABLE metrics;

-- Of the attempt that counts.
CREATE VIEW metrics AS
SELECT m.run_id AS run_id, m.metric AS metric, m.value AS value, m.standard_error AS standard_error,
       m.n_generated AS n_generated, m.n_reference AS n_reference, m.protocol AS protocol,
       m.network_hash AS network_hash
FROM attempt_metrics m JOIN runs r ON r.run_id = m.run_id AND r.counting_attempt = m.attempt;

-- What was taken in from inbox/, by the name that it had there: nothing is taken in twice.
CREATE TABLE requests (
  request TEXT PRIMARY KEY,
  taken_in TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('cancel', 'rerun', 'attempt', 'refused')),
  made TEXT,
  host TEXT,
  text TEXT NOT NULL
) STRICT;

-- One row for each coordinator that has held the folder.
CREATE TABLE coordinators (
  epoch INTEGER PRIMARY KEY,
  sweep TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  workers INTEGER NOT NULL,
  started TEXT NOT NULL,
  updated TEXT NOT NULL,
  ended TEXT,
  runs INTEGER NOT NULL,
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  fresh_done INTEGER NOT NULL,
  runs_per_hour REAL,
  seconds_left REAL
) STRICT;

-- What the slots of the coordinator do that holds the folder now.
CREATE TABLE slots (
  host TEXT NOT NULL,
  slot INTEGER NOT NULL,
  run_id TEXT,
  attempt INTEGER,
  phase TEXT,
  step INTEGER,
  total INTEGER,
  since TEXT,
  progressed TEXT,
  deadline TEXT,
  PRIMARY KEY (host, slot)
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
       max(CASE WHEN m.metric = 'memorisation' THEN m.value END) AS memorisation,
       max(CASE WHEN m.metric = 'label_accuracy' THEN m.value END) AS label_accuracy,
       a.trainable_parameters AS trainable_parameters, a.seconds AS seconds
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id
  AND a.attempt = coalesce(r.counting_attempt,
                           (SELECT max(b.attempt) FROM attempts b WHERE b.run_id = r.run_id))
LEFT JOIN attempt_metrics m ON m.run_id = r.run_id AND m.attempt = r.counting_attempt
  AND m.protocol = r.protocol
GROUP BY r.run_id;

-- Finished runs; one that is computed again keeps its place meanwhile.
CREATE VIEW leaderboard AS
SELECT v.task AS task, v.shots AS shots, v.method AS method, v.protocol AS protocol, count(*) AS seeds,
       avg(v.fid_mini) AS fid_mini, min(v.fid_mini) AS fid_mini_best, max(v.fid_mini) AS fid_mini_worst,
       avg(v.kid_mini) AS kid_mini, avg(v.precision) AS precision, avg(v.recall) AS recall,
       avg(v.density) AS density, avg(v.coverage) AS coverage,
       avg(v.memorisation) AS memorisation,
       avg(v.label_accuracy) AS label_accuracy
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
GROUP BY v.task, v.shots, v.method, v.protocol
ORDER BY task, shots, fid_mini;

CREATE VIEW few_shot AS
SELECT v.task AS task, v.method AS method, v.seed AS seed, v.protocol AS protocol, v.shots AS shots,
       v.fid_mini AS fid_mini, v.kid_mini AS kid_mini, v.precision AS precision, v.recall AS recall,
       v.density AS density, v.coverage AS coverage,
       v.memorisation AS memorisation, v.label_accuracy AS label_accuracy
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
WHERE v.shots GLOB '[0-9]*'
ORDER BY v.task, v.method, v.seed, CAST(v.shots AS INTEGER);

CREATE VIEW failures AS
SELECT a.run_id AS run_id, r.task AS task, r.shots AS shots, r.method AS method, r.seed AS seed,
       a.attempt AS attempt, a.status AS status, a.cause_kind AS cause, a.cause_message AS message,
       a.exit_code AS exit_code, a.signal AS signal, a.host AS host, a.ended AS ended, a.log_tail AS log_tail
FROM attempts a JOIN runs r ON r.run_id = a.run_id
WHERE a.status IN ('failed', 'interrupted')
ORDER BY a.ended;
)sql";

// Version 3: a folder may hold runs on several bases, which are never averaged together.
inline constexpr const char* kSchemaStep3 = R"sql(
DROP VIEW leaderboard;
DROP VIEW few_shot;

CREATE VIEW leaderboard AS
SELECT v.task AS task, v.shots AS shots, v.method AS method, v.protocol AS protocol, count(*) AS seeds,
       avg(v.fid_mini) AS fid_mini, min(v.fid_mini) AS fid_mini_best, max(v.fid_mini) AS fid_mini_worst,
       avg(v.kid_mini) AS kid_mini, avg(v.precision) AS precision, avg(v.recall) AS recall,
       avg(v.density) AS density, avg(v.coverage) AS coverage,
       avg(v.memorisation) AS memorisation,
       avg(v.label_accuracy) AS label_accuracy, v.base AS base
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
GROUP BY v.task, v.shots, v.method, v.base, v.protocol
ORDER BY task, shots, fid_mini;

CREATE VIEW few_shot AS
SELECT v.task AS task, v.method AS method, v.seed AS seed, v.protocol AS protocol, v.shots AS shots,
       v.fid_mini AS fid_mini, v.kid_mini AS kid_mini, v.precision AS precision, v.recall AS recall,
       v.density AS density, v.coverage AS coverage,
       v.memorisation AS memorisation, v.label_accuracy AS label_accuracy, v.base AS base
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
WHERE v.shots GLOB '[0-9]*'
ORDER BY v.task, v.method, v.base, v.seed, CAST(v.shots AS INTEGER);
)sql";

// Version 4: the leaderboard has a row for each configuration; variants of a method (other prompts,
// a marquee header) are never averaged together. The configuration's text without its seed tells
// them apart: readers trust no JSON function within a view.
inline constexpr const char* kSchemaStep4 = R"sql(
DROP VIEW leaderboard;

CREATE VIEW leaderboard AS
SELECT v.task AS task, v.shots AS shots, v.method AS method, v.protocol AS protocol, count(*) AS seeds,
       avg(v.fid_mini) AS fid_mini, min(v.fid_mini) AS fid_mini_best, max(v.fid_mini) AS fid_mini_worst,
       avg(v.kid_mini) AS kid_mini, avg(v.precision) AS precision, avg(v.recall) AS recall,
       avg(v.density) AS density, avg(v.coverage) AS coverage,
       avg(v.memorisation) AS memorisation,
       avg(v.label_accuracy) AS label_accuracy, v.base AS base,
       v.prompt_kind AS prompt_kind, v.prompt_length AS prompt_length, v.factors AS factors,
       v.conditions AS conditions, v.marquee AS marquee, v.steps AS steps,
       v.learning_rate AS learning_rate
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
GROUP BY v.task, v.shots, v.method, v.base, v.protocol,
         replace(r.config, '"seed":' || r.seed || ',', '')
ORDER BY task, shots, fid_mini;
)sql";

// Version 5: evaluations of images that no run here has made.
inline constexpr const char* kSchemaStep5 = R"sql(
CREATE TABLE evaluations (
  evaluation TEXT PRIMARY KEY,
  name TEXT NOT NULL,      -- of the generator
  citation TEXT NOT NULL,
  task TEXT NOT NULL,      -- '' where it was not said
  shots TEXT NOT NULL,
  generated TEXT NOT NULL, -- as the command named them
  reference TEXT NOT NULL,
  generated_hash TEXT NOT NULL,
  reference_hash TEXT NOT NULL,
  protocol TEXT NOT NULL,
  network TEXT NOT NULL,
  network_hash TEXT NOT NULL,
  input_rule TEXT NOT NULL,
  seed INTEGER NOT NULL,
  made TEXT NOT NULL,
  commit_hash TEXT NOT NULL
) STRICT;

CREATE TABLE evaluation_metrics (
  evaluation TEXT NOT NULL REFERENCES evaluations,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  standard_error REAL,
  n_generated INTEGER NOT NULL,
  n_reference INTEGER NOT NULL,
  PRIMARY KEY (evaluation, metric)
) STRICT;

CREATE TABLE new_requests (
  request TEXT PRIMARY KEY,
  taken_in TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('cancel', 'rerun', 'attempt', 'evaluation', 'refused')),
  made TEXT,
  host TEXT,
  text TEXT NOT NULL
) STRICT;
INSERT INTO new_requests SELECT * FROM requests ORDER BY rowid;
DROP TABLE requests;
ALTER TABLE new_requests RENAME TO requests;

-- Every number that stands here, of runs and of others, with what it may be compared by.
CREATE VIEW all_metrics AS
SELECT r.task AS task, r.shots AS shots, r.method AS generator, r.run_id AS made_by,
       m.metric AS metric, m.value AS value, m.standard_error AS standard_error,
       m.n_generated AS n_generated, m.n_reference AS n_reference, m.protocol AS protocol,
       m.network_hash AS network_hash
FROM metrics m JOIN runs r ON r.run_id = m.run_id
UNION ALL
SELECT e.task, e.shots, e.name, e.evaluation, m.metric, m.value, m.standard_error,
       m.n_generated, m.n_reference, e.protocol, e.network_hash
FROM evaluation_metrics m JOIN evaluations e ON e.evaluation = m.evaluation;
)sql";

// Version 6: the metrics that the FID Inception makes, behind the columns that were there; each
// metric of an evaluation has its network.
inline constexpr const char* kSchemaStep6 = R"sql(
DROP VIEW few_shot;
DROP VIEW leaderboard;
DROP VIEW results;

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
       max(CASE WHEN m.metric = 'memorisation' THEN m.value END) AS memorisation,
       max(CASE WHEN m.metric = 'label_accuracy' THEN m.value END) AS label_accuracy,
       a.trainable_parameters AS trainable_parameters, a.seconds AS seconds,
       max(CASE WHEN m.metric = 'fid' THEN m.value END) AS fid,
       max(CASE WHEN m.metric = 'kid' THEN m.value END) AS kid,
       max(CASE WHEN m.metric = 'inception_score' THEN m.value END) AS inception_score,
       max(CASE WHEN m.metric = 'fid_infinity' THEN m.value END) AS fid_infinity,
       max(CASE WHEN m.metric = 'vendi' THEN m.value END) AS vendi
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id
  AND a.attempt = coalesce(r.counting_attempt,
                           (SELECT max(b.attempt) FROM attempts b WHERE b.run_id = r.run_id))
LEFT JOIN attempt_metrics m ON m.run_id = r.run_id AND m.attempt = r.counting_attempt
  AND m.protocol = r.protocol
GROUP BY r.run_id;

CREATE VIEW leaderboard AS
SELECT v.task AS task, v.shots AS shots, v.method AS method, v.protocol AS protocol, count(*) AS seeds,
       avg(v.fid_mini) AS fid_mini, min(v.fid_mini) AS fid_mini_best, max(v.fid_mini) AS fid_mini_worst,
       avg(v.kid_mini) AS kid_mini, avg(v.precision) AS precision, avg(v.recall) AS recall,
       avg(v.density) AS density, avg(v.coverage) AS coverage,
       avg(v.memorisation) AS memorisation,
       avg(v.label_accuracy) AS label_accuracy, v.base AS base,
       v.prompt_kind AS prompt_kind, v.prompt_length AS prompt_length, v.factors AS factors,
       v.conditions AS conditions, v.marquee AS marquee, v.steps AS steps,
       v.learning_rate AS learning_rate,
       avg(v.fid) AS fid, min(v.fid) AS fid_best, max(v.fid) AS fid_worst,
       avg(v.kid) AS kid,
       avg(v.inception_score) AS inception_score,
       avg(v.fid_infinity) AS fid_infinity,
       avg(v.vendi) AS vendi
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
GROUP BY v.task, v.shots, v.method, v.base, v.protocol,
         replace(r.config, '"seed":' || r.seed || ',', '')
ORDER BY task, shots, coalesce(fid_mini, fid);

CREATE VIEW few_shot AS
SELECT v.task AS task, v.method AS method, v.seed AS seed, v.protocol AS protocol, v.shots AS shots,
       v.fid_mini AS fid_mini, v.kid_mini AS kid_mini, v.precision AS precision, v.recall AS recall,
       v.density AS density, v.coverage AS coverage,
       v.memorisation AS memorisation, v.label_accuracy AS label_accuracy, v.base AS base,
       v.fid AS fid, v.kid AS kid, v.inception_score AS inception_score,
       v.fid_infinity AS fid_infinity, v.vendi AS vendi
FROM results v JOIN runs r ON r.run_id = v.run_id AND r.counting_attempt IS NOT NULL
WHERE v.shots GLOB '[0-9]*'
ORDER BY v.task, v.method, v.base, v.seed, CAST(v.shots AS INTEGER);

-- A metric of an evaluation can be of another network than the rest.
ALTER TABLE evaluation_metrics ADD COLUMN network_hash TEXT NOT NULL DEFAULT '';
UPDATE evaluation_metrics SET network_hash =
  (SELECT network_hash FROM evaluations e WHERE e.evaluation = evaluation_metrics.evaluation);
DROP VIEW all_metrics;
CREATE VIEW all_metrics AS
SELECT r.task AS task, r.shots AS shots, r.method AS generator, r.run_id AS made_by,
       m.metric AS metric, m.value AS value, m.standard_error AS standard_error,
       m.n_generated AS n_generated, m.n_reference AS n_reference, m.protocol AS protocol,
       m.network_hash AS network_hash
FROM metrics m JOIN runs r ON r.run_id = m.run_id
UNION ALL
SELECT e.task, e.shots, e.name, e.evaluation, m.metric, m.value, m.standard_error,
       m.n_generated, m.n_reference, e.protocol, m.network_hash
FROM evaluation_metrics m JOIN evaluations e ON e.evaluation = m.evaluation;
)sql";

}  // namespace marquee::experiments
