#include "analysis/report/named_queries.h"

#include <algorithm>

#include "datasets/task.h"

namespace marquee::analysis {
namespace {

// Numbers of different networks have columns of their own, so none of these mixes them; within a
// row task, base and protocol are the same.
constexpr const char* kMeans =
    "avg(fid) AS fid, avg(fid_mini) AS fid_mini, avg(kid) AS kid, avg(kid_mini) AS kid_mini, "
    "avg(precision) AS precision, avg(recall) AS recall, avg(density) AS density, "
    "avg(coverage) AS coverage";
constexpr const char* kOracles = "('oracle_real', 'oracle_reconstruction')";
// Of the view `results`: has values, also while it is computed again.
constexpr const char* kMeasured = "n_generated IS NOT NULL";

// The group of VTAB that a task belongs to, as an expression of `task`.
std::string group_of_task() {
  std::string text = "CASE task";
  for (const datasets::TaskInfo& task : datasets::all_tasks())
    text += " WHEN '" + task.name + "' THEN '" + std::string(to_string(task.group)) + "'";
  return text + " ELSE '" + std::string(to_string(datasets::TaskGroup::own)) + "' END";
}

std::vector<NamedQuery> make_queries() {
  const std::string means = kMeans, oracles = kOracles, measured = kMeasured;
  const std::string best_first = "coalesce(fid, fid_mini)";
  return {
      {"leaderboard", "Which method is best where? Means over seeds.", "SELECT * FROM leaderboard",
       "task, shots, base, protocol, " + best_first},
      {"best", "The best configuration for each task and number of shots.",
       "SELECT task, shots, base, protocol, method, prompt_kind, prompt_length, factors, "
       "conditions, marquee, steps, learning_rate, seeds, fid, fid_mini FROM (SELECT *, "
       "row_number() OVER (PARTITION BY task, shots, base, protocol ORDER BY " +
           best_first + ") AS place FROM leaderboard WHERE method NOT IN " + oracles + " AND " +
           best_first + " IS NOT NULL) WHERE place = 1",
       "task, shots, base, protocol"},
      {"groups", "How do methods do on VTAB's groups? Means over tasks of means over seeds.",
       "SELECT task_group, shots, method, base, protocol, count(*) AS tasks, sum(seeds) AS runs, " +
           means + " FROM (SELECT " + group_of_task() +
           " AS task_group, shots, method, base, protocol, task, count(*) AS seeds, " + means +
           " FROM results WHERE " + measured + " AND method NOT IN " + oracles +
           " GROUP BY task, shots, method, base, protocol) GROUP BY task_group, shots, method, "
           "base, protocol",
       "task_group, shots, base, protocol, " + best_first},
      {"few_shot", "What do more shots bring? Means over seeds.",
       "SELECT task, method, base, protocol, CAST(shots AS INTEGER) AS images_a_class, count(*) AS "
       "seeds, " +
           means + " FROM few_shot WHERE method NOT IN " + oracles +
           " GROUP BY task, method, base, protocol, shots",
       "task, method, base, protocol, images_a_class"},
      {"ablations", "What does each part of the method do? Configurations side by side.",
       "SELECT * FROM ablations",
       "task, shots, method, base, protocol, prompt_kind, prompt_length, factors, conditions, "
       "marquee, learning_rate"},
      {"seeds", "How far apart are the seeds of a configuration?",
       "SELECT task, shots, method, base, protocol, prompt_kind, prompt_length, factors, "
       "conditions, marquee, seeds, fid, fid_best, fid_worst, fid_mini, fid_mini_best, "
       "fid_mini_worst FROM leaderboard WHERE method NOT IN " +
           oracles,
       "task, shots, method, base, protocol"},
      {"against_none", "Is adapting better than not adapting, seed by seed?",
       "SELECT r.task, r.shots, r.seed, r.base, r.protocol, r.method, r.prompt_length, r.fid AS "
       "fid, n.fid AS fid_of_none, r.fid - n.fid AS fid_change, r.fid_mini AS fid_mini, n.fid_mini "
       "AS fid_mini_of_none, r.fid_mini - n.fid_mini AS fid_mini_change FROM results r JOIN "
       "results n ON n.task = r.task AND n.shots = r.shots AND n.seed = r.seed AND n.base = r.base "
       "AND n.protocol = r.protocol AND n.reference IS r.reference AND n.n_generated = "
       "r.n_generated AND n.n_reference = r.n_reference WHERE n.method = 'none' AND r.method NOT "
       "IN ('none', 'oracle_real', 'oracle_reconstruction')",
       "task, shots, method, prompt_length, seed"},
      {"parameters", "How many numbers are trained, for how good a result?",
       "SELECT task, shots, base, protocol, method, prompt_kind, prompt_length, factors, "
       "trainable_parameters, seconds, seeds, fid, fid_mini FROM leaderboard WHERE method NOT IN " +
           oracles,
       "task, shots, base, protocol, trainable_parameters"},
      {"memorised", "Which runs repeat images that they were tuned on?",
       "SELECT task, shots, method, seed, memorisation, fid, fid_mini, run_id FROM results WHERE "
       "memorisation > 0",
       "memorisation DESC, task, shots, method, seed"},
      {"progress", "How far is each sweep?",
       "SELECT s.sweep, count(*) AS runs, sum(r.status = 'done') AS done, sum(r.status = "
       "'running') AS running, sum(r.status = 'pending') AS pending, sum(r.status = 'failed') AS "
       "failed, sum(r.status = 'cancelled') AS cancelled FROM sweep_runs s JOIN runs r ON r.run_id "
       "= s.run_id GROUP BY s.sweep",
       "sweep"},
      {"unfinished", "Which runs have no result, and why?",
       "SELECT r.task, r.shots, r.method, r.seed, r.status, count(a.attempt) AS attempts, "
       "max(CASE WHEN a.attempt = (SELECT max(b.attempt) FROM attempts b WHERE b.run_id = r.run_id "
       "AND b.cause_kind IS NOT NULL) THEN a.cause_kind || ': ' || a.cause_message END) AS "
       "last_cause, r.run_id FROM runs r LEFT JOIN attempts a ON a.run_id = r.run_id WHERE "
       "r.counting_attempt IS NULL GROUP BY r.run_id",
       "status, task, shots, method, seed"},
      {"failures", "What went wrong, and where? The newest first.",
       "SELECT ended AS ended_utc, task, shots, method, seed, attempt, status, cause, message, "
       "host, run_id FROM failures",
       "ended_utc DESC, run_id, attempt"},
      {"causes", "Which failures are frequent, and on which hosts?",
       "SELECT cause, host, count(*) AS attempts, count(DISTINCT run_id) AS runs, max(ended) AS "
       "last_utc FROM failures GROUP BY cause, host",
       "attempts DESC, cause, host"},
      {"costs", "What did it cost, and how much was lost to failures? By sweep and method.",
       "SELECT sweep, method, count(*) AS runs, sum(attempts) AS attempts, sum(slot_hours) AS "
       "slot_hours, sum(lost_slot_hours) AS lost_slot_hours, avg(result_seconds) AS "
       "mean_result_seconds, max(peak_bytes) AS peak_bytes FROM costs GROUP BY sweep, method",
       "sweep, slot_hours DESC"},
      {"slowest", "Which runs took longest?",
       "SELECT task, shots, method, seed, status, attempts, result_seconds, attempts_seconds, "
       "slots, run_id FROM costs WHERE attempts > 0",
       "attempts_seconds DESC, run_id"},
      {"provenance", "How was each result made?", "SELECT * FROM provenance",
       "task, shots, method, seed, run_id"},
      {"mixed", "Which configurations have seeds that were made differently?",
       "SELECT task, shots, method, base, protocol, count(*) AS runs, count(DISTINCT "
       "coalesce(commit_hash, '')) AS commits, count(DISTINCT coalesce(device, '')) AS devices, "
       "count(DISTINCT coalesce(instruction_set, '')) AS instruction_sets, count(DISTINCT "
       "coalesce(torch_version, '')) AS torch_versions, count(DISTINCT coalesce(data_hash, '')) AS "
       "data_versions FROM provenance GROUP BY task, shots, method, base, protocol HAVING commits "
       "> 1 OR devices > 1 OR instruction_sets > 1 OR torch_versions > 1 OR data_versions > 1",
       "task, shots, method, base, protocol"},
      {"mismatches", "Which runs gave another result when they were computed again?",
       "SELECT e.time AS time_utc, r.task, r.shots, r.method, r.seed, e.text, e.run_id FROM events "
       "e JOIN runs r ON r.run_id = e.run_id WHERE e.kind = 'rerun_mismatch'",
       "time_utc, run_id"},
      {"outside", "What did other programs' images measure? Never averaged with runs.",
       "SELECT e.task, e.shots, e.name, e.citation, e.protocol, m.metric, m.value, "
       "m.standard_error, m.n_generated, m.n_reference, e.reference FROM evaluations e JOIN "
       "evaluation_metrics m ON m.evaluation = e.evaluation WHERE e.run_id IS NULL",
       "task, shots, protocol, metric, value"},
      {"protocols", "What did the same images measure by different protocols?",
       "SELECT task, shots, generator, metric, protocol, value, standard_error, n_generated, "
       "n_reference, source, made_by AS run_id FROM all_metrics WHERE made_by IN (SELECT run_id "
       "FROM evaluations WHERE run_id IS NOT NULL)",
       "task, shots, generator, run_id, metric, protocol"},
  };
}

}  // namespace

const std::vector<NamedQuery>& named_queries() {
  static const std::vector<NamedQuery> queries = make_queries();
  return queries;
}

const NamedQuery* find_named_query(const std::string& name) {
  const auto& all = named_queries();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const NamedQuery& q) { return q.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace marquee::analysis
