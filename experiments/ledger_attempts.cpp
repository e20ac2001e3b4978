// Attempts in the ledger: their start, their end, and which of them counts.
#include <algorithm>

#include "cluster/host.h"
#include "experiments/ledger_state.h"
#include "experiments/schema.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

std::string text_of(const json& value) {
  return value.is_null() ? "" : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

// Done: an attempt is, and none is wanted above it. Running: an attempt of a run that is not done
// runs. Failed: the last attempt did, and none is wanted above it.
void Ledger::State::refresh_status(const std::string& run) {
  const Use counting = prepared(
      "UPDATE runs SET counting_attempt = (SELECT max(a.attempt) FROM attempts a"
      " WHERE a.run_id = runs.run_id AND a.status = 'done') WHERE run_id = ?");
  counting.bind(1, run);
  counting.exec();
  // A finished attempt answers what was asked for before it.
  const Use wishes = prepared(
      "UPDATE runs SET cancelled = NULL,"
      " rerun_after = CASE WHEN rerun_after < counting_attempt THEN NULL ELSE rerun_after END"
      " WHERE run_id = ? AND counting_attempt IS NOT NULL");
  wishes.bind(1, run);
  wishes.exec();
  const Use update = prepared(
      "UPDATE runs SET status = CASE"
      " WHEN counting_attempt IS NOT NULL AND rerun_after IS NULL THEN 'done'"
      " WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = runs.run_id"
      "   AND a.status = 'running') THEN 'running'"
      " WHEN cancelled IS NOT NULL THEN 'cancelled'"
      " WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = runs.run_id"
      "   AND a.attempt > coalesce(runs.rerun_after, 0) AND a.status = 'failed'"
      "   AND a.attempt = (SELECT max(b.attempt) FROM attempts b WHERE b.run_id = runs.run_id))"
      "   THEN 'failed'"
      " ELSE 'pending' END WHERE run_id = ?");
  update.bind(1, run);
  update.exec();
}

int Ledger::start_attempt(const RunId& run, const std::string& host, int slot,
                          AttemptFolder folder) {
  return state_->transaction([&] {
    const Use last =
        state_->prepared("SELECT coalesce(max(attempt), 0) FROM attempts WHERE run_id = ?");
    last.bind(1, run.text());
    last.executeStep();
    int attempt = last.getColumn(0).getInt() + 1;
    if (folder == AttemptFolder::claimed) attempt = claim_attempt(state_->results, run, attempt);
    const Use insert = state_->prepared(
        "INSERT INTO attempts (run_id, attempt, epoch, status, started, host, slot, rerun_of)"
        " VALUES (?,?,?,'running',?,?,?,"
        " (SELECT coalesce(counting_attempt, nullif(rerun_after, 0)) FROM runs WHERE run_id = "
        "?1))");
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

bool Ledger::finish_attempt(const AttemptRecord& record) {
  return state_->transaction([&] {
    if (!takes(record)) {
      if (record.status == "done" && is_superseded(record)) note_refusal(record);
      return false;
    }
    const bool done = record.result.has_value();
    enter_end(record);
    if (done) {
      enter_facts(record.run_id, record.attempt);
      enter_metrics(record);
    }
    state_->refresh_status(record.run_id);
    if (done) note_mismatch(record.run_id, record.attempt);
    return true;
  });
}

void Ledger::enter_end(const AttemptRecord& record) {
  const bool failed = !record.cause.kind.empty();
  const ResultRecord result = record.result.value_or(ResultRecord{});
  const bool done = record.result.has_value();
  const Use insert = state_->prepared(
      "INSERT INTO attempts (run_id, attempt, epoch, status, started, "
      "ended, host, cause_kind, cause_message, exit_code, signal, log_tail,"
      " trainable_parameters, seconds, result_sha256, prompt_sha256, "
      "tokens_sha256, class_prior, fingerprint, provenance, rerun_of)"
      " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?, (SELECT max(e.attempt) FROM attempts e"
      "  WHERE e.run_id = ?1 AND e.attempt < ?2 AND e.status = 'done')) ON CONFLICT "
      "(run_id, attempt) DO UPDATE SET"
      " status = excluded.status, started = coalesce(nullif(excluded.started, ''), started),"
      " ended = excluded.ended, host = coalesce(nullif(excluded.host, ''), host),"
      " cause_kind = excluded.cause_kind, cause_message = "
      "excluded.cause_message, exit_code = excluded.exit_code,"
      " signal = excluded.signal, log_tail = excluded.log_tail, "
      "trainable_parameters = excluded.trainable_parameters,"
      " seconds = excluded.seconds, result_sha256 = excluded.result_sha256, "
      "prompt_sha256 = excluded.prompt_sha256,"
      " tokens_sha256 = excluded.tokens_sha256, class_prior = "
      "excluded.class_prior, fingerprint = excluded.fingerprint,"
      " provenance = excluded.provenance");
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
}

// What fingerprint and provenance say, in columns.
void Ledger::enter_facts(const std::string& run_id, int attempt) {
  static const std::string of_one =
      std::string(kFactsOfAttempts) + " AND run_id = ? AND attempt = ?";
  const Use facts = state_->prepared(of_one.c_str());
  facts.bind(1, run_id);
  facts.bind(2, attempt);
  facts.exec();
}

void Ledger::enter_metrics(const AttemptRecord& record) {
  for (const MetricValue& metric : record.result->metrics) {
    const Use row = state_->prepared(
        "INSERT INTO attempt_metrics (run_id, attempt, metric, value, standard_error,"
        " n_generated, n_reference, protocol, network_hash) VALUES (?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (run_id, attempt, metric, protocol) DO NOTHING");
    row.bind(1, record.run_id);
    row.bind(2, record.attempt);
    bind_metric(row, 3, metric);
    row.bind(8, metric.protocol);
    row.bind(9, metric.network_hash);
    row.exec();
  }
}

// The nearest finished attempt on either side: all before have been compared with each other.
void Ledger::note_mismatch(const std::string& run_id, int attempt) {
  const Use other = state_->prepared(
      "SELECT e.attempt, e.prompt_sha256 IS NOT n.prompt_sha256,"
      " e.tokens_sha256 IS NOT n.tokens_sha256, e.fingerprint IS NOT n.fingerprint"
      " FROM attempts n JOIN attempts e ON e.run_id = n.run_id AND e.attempt <> n.attempt"
      "  AND e.status = 'done'"
      " WHERE n.run_id = ?1 AND n.attempt = ?2"
      " ORDER BY e.attempt > n.attempt, abs(n.attempt - e.attempt) LIMIT 1");
  other.bind(1, run_id);
  other.bind(2, attempt);
  if (!other.executeStep()) return;
  const int earlier = other.getColumn(0).getInt();
  std::string differs;
  const auto name = [&](const std::string& what) {
    differs += (differs.empty() ? "" : ", ") + what;
  };
  if (other.getColumn(1).getInt() != 0) name("prompt_sha256");
  if (other.getColumn(2).getInt() != 0) name("tokens_sha256");
  const bool other_fingerprint = other.getColumn(3).getInt() != 0;
  const Use metrics = state_->prepared(
      "SELECT metric FROM (SELECT metric, protocol, value, n_generated, n_reference, network_hash"
      "  FROM attempt_metrics WHERE run_id = ?1 AND attempt IN (?2, ?3)"
      "  GROUP BY metric, protocol, value, n_generated, n_reference, network_hash"
      "  HAVING count(*) <> 2) GROUP BY metric ORDER BY metric");
  metrics.bind(1, run_id);
  metrics.bind(2, earlier);
  metrics.bind(3, attempt);
  while (metrics.executeStep()) name(metrics.getColumn(0).getString());
  if (differs.empty()) return;
  add_event("rerun_mismatch", run_id,
            "attempts " + std::to_string(std::min(earlier, attempt)) + " and " +
                std::to_string(std::max(earlier, attempt)) + " differ in " + differs +
                (other_fingerprint ? "; their fingerprints differ too"
                                   : "; their fingerprints are equal"));
}

bool Ledger::takes(const AttemptRecord& record) const {
  return state_->guarded([&] {
    const Use query =
        state_->prepared("SELECT status FROM attempts WHERE run_id = ? AND attempt = ?");
    query.bind(1, record.run_id);
    query.bind(2, record.attempt);
    const std::string status = query.executeStep() ? query.getColumn(0).getString() : "";
    if (!status.empty() && status != "running" &&
        !(status == "interrupted" && record.status == "done"))
      return false;
    return record.status != "done" || !is_superseded(record);
  });
}

// A result that comes beside another one of the same question: of a claim that was taken over in
// the moment of the seal; or of an attempt that was taken for cut off, when a later one has
// answered already. (Single runs may come in any order, and all count.)
bool Ledger::is_superseded(const AttemptRecord& record) const {
  const Use other = state_->prepared(
      "SELECT 1 FROM attempts o WHERE o.run_id = ?1 AND o.attempt <> ?2 AND o.status = 'done' AND"
      " CASE WHEN ?3 > 0 THEN o.attempt > ?4"
      " ELSE o.attempt > ?2 AND EXISTS (SELECT 1 FROM attempts a WHERE a.run_id = ?1"
      "   AND a.attempt = ?2 AND a.status = 'interrupted') END LIMIT 1");
  other.bind(1, record.run_id);
  other.bind(2, record.attempt);
  other.bind(3, static_cast<std::int64_t>(record.claim));
  other.bind(4, record.rerun_of);
  return other.executeStep();
}

void Ledger::note_refusal(const AttemptRecord& record) {
  const std::string text = "attempt " + std::to_string(record.attempt) + " of host " + record.host +
                           " is not taken in: another attempt has taken its place";
  const Use known = state_->prepared(
      "SELECT 1 FROM events WHERE kind = 'attempt_refused' AND run_id = ? AND text = ? LIMIT 1");
  known.bind(1, record.run_id);
  known.bind(2, text);
  if (!known.executeStep()) add_event("attempt_refused", record.run_id, text);
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

}  // namespace marquee::experiments
