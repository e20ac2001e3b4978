// The ledger's schema (docs/results.md explains it to users) as steps from nothing to the newest
// version. Migrations go forward only: a new version appends a step, an old one never changes
// (experiments/migration.h).
#pragma once

#include <array>

#include "experiments/schema_history.h"

namespace marquee::experiments {

// Fills the columns of attempts that repeat what stands within their texts of JSON: readers of a
// file that they do not trust may not unfold JSON in a view, nor in a generated column.
inline constexpr const char* kFactsOfAttempts = R"sql(
UPDATE attempts SET
  program_version = CASE WHEN json_valid(fingerprint) THEN json_extract(fingerprint, '$.marquee') END,
  device = CASE WHEN json_valid(fingerprint) THEN json_extract(fingerprint, '$.device') END,
  instruction_set =
    CASE WHEN json_valid(fingerprint) THEN json_extract(fingerprint, '$.instruction_set') END,
  torch_version = CASE WHEN json_valid(fingerprint) THEN json_extract(fingerprint, '$.torch') END,
  threads = CASE WHEN json_valid(fingerprint)
                 THEN CAST(json_extract(fingerprint, '$.threads') AS INTEGER) END,
  commit_hash = CASE WHEN json_valid(provenance) THEN json_extract(provenance, '$.commit') END,
  data_version =
    CASE WHEN json_valid(provenance) THEN json_extract(provenance, '$.data_source.version') END,
  resize_rule = CASE WHEN json_valid(provenance) THEN json_extract(provenance, '$.resize_rule') END,
  class_prior_rule =
    CASE WHEN json_valid(provenance) THEN json_extract(provenance, '$.class_prior_rule') END,
  peak_bytes = CASE WHEN json_valid(provenance)
                    THEN CAST(json_extract(provenance, '$.timing.peak_bytes') AS INTEGER) END
WHERE fingerprint IS NOT NULL)sql";

// Version 7, "1.0": tables check what they are told, facts that were only within JSON texts are
// columns, evaluations of runs by further protocols belong to their runs, and there are views of
// ablations, costs and provenance.
inline constexpr const char* kSchemaStep7 = R"sql(
DROP VIEW all_metrics;
DROP VIEW failures;
DROP VIEW few_shot;
DROP VIEW leaderboard;
DROP VIEW results;
DROP VIEW metrics;

CREATE TABLE about (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
INSERT INTO about VALUES
  ('schema', '1.0'),
  ('what', 'results of a generative-transfer benchmark, as marquee publishes them'),
  ('times', 'UTC, ISO 8601'),
  ('start with', 'the views results, leaderboard, few_shot, ablations, failures, costs, provenance');

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
  prompt_length INTEGER CHECK (prompt_length >= 0),
  factors INTEGER CHECK (factors >= 0),
  conditions TEXT,
  marquee TEXT,
  steps INTEGER CHECK (steps >= 0),
  learning_rate REAL CHECK (learning_rate >= 0),
  config TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'running', 'done', 'failed', 'cancelled')),
  counting_attempt INTEGER,  -- the newest finished one: its values count
  rerun_after INTEGER,       -- an attempt above this one is wanted
  cancelled TEXT,            -- when the run was set aside by `marquee cancel`
  gang INTEGER,              -- slots that one attempt takes
  reference TEXT,            -- split that the images are compared with
  base_hash TEXT,
  data_hash TEXT
) STRICT;
INSERT INTO new_runs
SELECT r.*,
       CASE WHEN json_valid(config) THEN CAST(json_extract(config, '$.gang') AS INTEGER) END,
       CASE WHEN json_valid(config) THEN json_extract(config, '$.reference') END,
       CASE WHEN json_valid(config) THEN json_extract(config, '$.base_hash') END,
       CASE WHEN json_valid(config) THEN json_extract(config, '$.data_hash') END
FROM runs r ORDER BY r.rowid;
DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;

CREATE TABLE new_attempts (
  run_id TEXT NOT NULL REFERENCES runs,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  epoch INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
  started TEXT,
  ended TEXT,
  host TEXT,
  slot INTEGER,
  cause_kind TEXT,
  cause_message TEXT,
  exit_code INTEGER CHECK (exit_code >= 0),
  signal INTEGER CHECK (signal >= 1),
  log_tail TEXT,
  trainable_parameters INTEGER CHECK (trainable_parameters >= 0),
  seconds REAL CHECK (seconds >= 0),
  result_sha256 TEXT,
  prompt_sha256 TEXT,
  tokens_sha256 TEXT,
  class_prior TEXT,
  fingerprint TEXT,
  provenance TEXT,
  rerun_of INTEGER,
  -- What fingerprint and provenance say (kFactsOfAttempts).
  program_version TEXT,
  commit_hash TEXT,
  device TEXT,
  instruction_set TEXT,
  torch_version TEXT,
  threads INTEGER,
  data_version TEXT,
  resize_rule TEXT,
  class_prior_rule TEXT,
  peak_bytes INTEGER,
  PRIMARY KEY (run_id, attempt)
) STRICT;
INSERT INTO new_attempts
SELECT a.*, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM attempts a ORDER BY a.rowid;
DROP TABLE attempts;
ALTER TABLE new_attempts RENAME TO attempts;

CREATE TABLE new_attempt_metrics (
  run_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  standard_error REAL CHECK (standard_error >= 0),
  n_generated INTEGER NOT NULL CHECK (n_generated >= 0),
  n_reference INTEGER NOT NULL CHECK (n_reference >= 0),
  protocol TEXT NOT NULL,
  network_hash TEXT NOT NULL,
  PRIMARY KEY (run_id, attempt, metric, protocol),
  FOREIGN KEY (run_id, attempt) REFERENCES attempts
) STRICT;
INSERT INTO new_attempt_metrics SELECT * FROM attempt_metrics ORDER BY rowid;
DROP TABLE attempt_metrics;
ALTER TABLE new_attempt_metrics RENAME TO attempt_metrics;

CREATE INDEX sweep_runs_of_run ON sweep_runs (run_id);

-- Of a run's images, where they were measured again by another protocol.
ALTER TABLE evaluations ADD COLUMN run_id TEXT;
ALTER TABLE evaluations ADD COLUMN attempt INTEGER;

-- Of the attempt that counts.
CREATE VIEW metrics AS
SELECT m.run_id AS run_id, m.metric AS metric, m.value AS value, m.standard_error AS standard_error,
       m.n_generated AS n_generated, m.n_reference AS n_reference, m.protocol AS protocol,
       m.network_hash AS network_hash
FROM attempt_metrics m JOIN runs r ON r.run_id = m.run_id AND r.counting_attempt = m.attempt;

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
       max(CASE WHEN m.metric = 'vendi' THEN m.value END) AS vendi,
       max(CASE WHEN m.metric = 'sfid' THEN m.value END) AS sfid,
       max(CASE WHEN m.metric = 'f_score' THEN m.value END) AS f_score,
       max(CASE WHEN m.metric <> 'label_accuracy' THEN m.n_generated END) AS n_generated,
       max(CASE WHEN m.metric <> 'label_accuracy' THEN m.n_reference END) AS n_reference,
       r.reference AS reference
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id
  AND a.attempt = coalesce(r.counting_attempt,
                           (SELECT max(b.attempt) FROM attempts b WHERE b.run_id = r.run_id))
LEFT JOIN attempt_metrics m ON m.run_id = r.run_id AND m.attempt = r.counting_attempt
  AND m.protocol = r.protocol
GROUP BY r.run_id;

-- Means over seeds of finished runs, a row for each configuration; a run that is computed again
-- keeps its place meanwhile.
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
       avg(v.vendi) AS vendi,
       avg(v.sfid) AS sfid, avg(v.f_score) AS f_score,
       max(v.trainable_parameters) AS trainable_parameters, avg(v.seconds) AS seconds,
       max(v.n_generated) AS n_generated, max(v.n_reference) AS n_reference,
       v.reference AS reference
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

-- Configurations of a method that stand beside others of it: same task, shots, base and protocol.
CREATE VIEW ablations AS
SELECT * FROM (
  SELECT task, shots, method, base, protocol,
         count(*) OVER (PARTITION BY task, shots, method, base, protocol) AS variants,
         prompt_kind, prompt_length, factors, conditions, marquee, steps, learning_rate, seeds,
         fid_mini, fid, kid_mini, kid, precision, recall, density, coverage, label_accuracy,
         trainable_parameters, seconds
  FROM leaderboard)
WHERE variants > 1
ORDER BY task, shots, method, base, protocol, prompt_kind, prompt_length, factors, conditions, marquee;

CREATE VIEW failures AS
SELECT a.run_id AS run_id, r.task AS task, r.shots AS shots, r.method AS method, r.seed AS seed,
       a.attempt AS attempt, a.status AS status, a.cause_kind AS cause, a.cause_message AS message,
       a.exit_code AS exit_code, a.signal AS signal, a.host AS host, a.ended AS ended, a.log_tail AS log_tail
FROM attempts a JOIN runs r ON r.run_id = a.run_id
WHERE a.status IN ('failed', 'interrupted')
ORDER BY a.ended;

-- What each run has taken. An attempt lasts from its start to its end, and takes as many slots as
-- the run's gang; what it took is lost when another one counts or none has finished.
CREATE VIEW costs AS
SELECT r.run_id AS run_id,
       (SELECT s.sweep FROM sweep_runs s WHERE s.run_id = r.run_id ORDER BY s.rowid LIMIT 1) AS sweep,
       r.task AS task, r.shots AS shots, r.method AS method, r.seed AS seed, r.base AS base,
       r.status AS status, count(a.attempt) AS attempts, coalesce(r.gang, 1) AS slots,
       max(CASE WHEN a.attempt = r.counting_attempt THEN a.seconds END) AS result_seconds,
       sum((julianday(a.ended) - julianday(a.started)) * 86400.0) AS attempts_seconds,
       sum((julianday(a.ended) - julianday(a.started)) * 24.0) * coalesce(r.gang, 1) AS slot_hours,
       sum(CASE WHEN a.attempt IS r.counting_attempt THEN 0.0
                ELSE (julianday(a.ended) - julianday(a.started)) * 24.0 END)
         * coalesce(r.gang, 1) AS lost_slot_hours,
       max(a.peak_bytes) AS peak_bytes
FROM runs r LEFT JOIN attempts a ON a.run_id = r.run_id
GROUP BY r.run_id;

-- How the result of each finished run was made.
CREATE VIEW provenance AS
SELECT r.run_id AS run_id, a.attempt AS attempt, r.task AS task, r.shots AS shots, r.method AS method,
       r.seed AS seed, r.base AS base, r.protocol AS protocol, r.reference AS reference,
       a.data_version AS data_version, a.resize_rule AS resize_rule,
       a.class_prior_rule AS class_prior_rule,
       a.program_version AS program_version, a.commit_hash AS commit_hash,
       a.device AS device, a.instruction_set AS instruction_set, a.torch_version AS torch_version,
       a.threads AS threads, a.host AS host, a.started AS started_utc, a.ended AS ended_utc,
       r.base_hash AS base_hash, r.data_hash AS data_hash,
       a.result_sha256 AS result_sha256, a.prompt_sha256 AS prompt_sha256,
       a.tokens_sha256 AS tokens_sha256
FROM runs r JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.counting_attempt;

-- Every number that stands here, of runs and of others, with what it may be compared by. What was
-- measured of a run's images later, by another protocol, stands under that run.
CREATE VIEW all_metrics AS
SELECT r.task AS task, r.shots AS shots, r.method AS generator, r.run_id AS made_by,
       m.metric AS metric, m.value AS value, m.standard_error AS standard_error,
       m.n_generated AS n_generated, m.n_reference AS n_reference, m.protocol AS protocol,
       m.network_hash AS network_hash, 'run' AS source
FROM metrics m JOIN runs r ON r.run_id = m.run_id
UNION ALL
SELECT e.task, e.shots, e.name, coalesce(e.run_id, e.evaluation), m.metric, m.value,
       m.standard_error, m.n_generated, m.n_reference, e.protocol, m.network_hash,
       CASE WHEN e.run_id IS NULL THEN 'outside' ELSE 'evaluation of a run' END
FROM evaluation_metrics m JOIN evaluations e ON e.evaluation = m.evaluation;
)sql";

// Step i leads from version i to i + 1.
inline constexpr std::array kSchemaSteps{kSchemaStep1, kSchemaStep2, kSchemaStep3, kSchemaStep4,
                                         kSchemaStep5, kSchemaStep6, kSchemaStep7};
inline constexpr int kSchemaVersion = static_cast<int>(kSchemaSteps.size());

}  // namespace marquee::experiments
