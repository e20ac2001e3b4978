// What people ask of runs: cancelled, computed again; and what was taken in from the inbox.
#include "cluster/host.h"
#include "experiments/ledger_state.h"

namespace marquee::experiments {

bool Ledger::cancel(const std::string& run_id) {
  return state_->transaction([&] {
    const Use update = state_->prepared(
        "UPDATE runs SET rerun_after = NULL,"
        " cancelled = CASE WHEN counting_attempt IS NULL THEN ? END"
        " WHERE run_id = ? AND status NOT IN ('done', 'cancelled')");
    update.bind(1, cluster::utc_now());
    update.bind(2, run_id);
    if (update.changes() == 0) return false;
    state_->refresh_status(run_id);
    add_event("cancelled", run_id, "on request");
    return true;
  });
}

bool Ledger::want_rerun(const std::string& run_id) {
  return state_->transaction([&] {
    const Use update = state_->prepared(
        "UPDATE runs SET cancelled = NULL, rerun_after = (SELECT coalesce(max(a.attempt), 0)"
        " FROM attempts a WHERE a.run_id = runs.run_id)"
        " WHERE run_id = ? AND status NOT IN ('pending', 'running')");
    update.bind(1, run_id);
    if (update.changes() == 0) return false;
    state_->refresh_status(run_id);
    add_event("rerun", run_id, "wanted on request");
    return true;
  });
}

std::optional<RunConfig> Ledger::configuration(const std::string& run_id) const {
  return state_->guarded([&]() -> std::optional<RunConfig> {
    const Use query = state_->prepared("SELECT config FROM runs WHERE run_id = ?");
    query.bind(1, run_id);
    if (!query.executeStep()) return std::nullopt;
    return run_config_from_json(nlohmann::json::parse(query.getColumn(0).getString()));
  });
}

std::string Ledger::status(const std::string& run_id) const {
  return state_->guarded([&]() -> std::string {
    const Use query = state_->prepared("SELECT status FROM runs WHERE run_id = ?");
    query.bind(1, run_id);
    return query.executeStep() ? query.getColumn(0).getString() : "";
  });
}

bool Ledger::enter_request(const TakenRequest& request) {
  return state_->guarded([&] {
    const Use insert = state_->prepared(
        "INSERT INTO requests (request, taken_in, epoch, kind, made, host, text)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT (request) DO NOTHING");
    insert.bind(1, request.name);
    insert.bind(2, cluster::utc_now());
    insert.bind(3, static_cast<std::int64_t>(state_->epoch));
    insert.bind(4, request.kind);
    insert.bind_if(!request.made.empty(), 5, request.made);
    insert.bind_if(!request.host.empty(), 6, request.host);
    insert.bind(7, request.text);
    return insert.changes() > 0;
  });
}

bool Ledger::has_evaluation(const std::string& id) const {
  return state_->guarded([&] {
    const Use query = state_->prepared("SELECT 1 FROM evaluations WHERE evaluation = ?");
    query.bind(1, id);
    return query.executeStep();
  });
}

void Ledger::enter_evaluation(const EvaluationRecord& evaluation) {
  const std::string id = evaluation_id(evaluation);
  state_->transaction([&] {
    for (const char* text : {"DELETE FROM evaluation_metrics WHERE evaluation = ?",
                             "DELETE FROM evaluations WHERE evaluation = ?"}) {
      const Use old = state_->prepared(text);
      old.bind(1, id);
      old.changes();
    }
    const Use insert = state_->prepared(
        "INSERT INTO evaluations (evaluation, name, citation, task, shots, generated, reference,"
        " generated_hash, reference_hash, protocol, network, network_hash, input_rule, seed, made,"
        " commit_hash, run_id, attempt) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    int place = 1;
    for (const std::string& text :
         {id, evaluation.name, evaluation.citation, evaluation.task, evaluation.shots,
          evaluation.generated, evaluation.reference, evaluation.generated_hash,
          evaluation.reference_hash, evaluation.protocol, evaluation.network,
          evaluation.network_hash, evaluation.input_rule})
      insert.bind(place++, text);
    insert.bind(place++, static_cast<std::int64_t>(evaluation.seed));
    insert.bind(place++, evaluation.made);
    insert.bind(place++, evaluation.commit);
    insert.bind_if(!evaluation.run_id.empty(), place++, evaluation.run_id);
    insert.bind_if(evaluation.attempt > 0, place, evaluation.attempt);
    insert.changes();
    for (const MetricValue& metric : evaluation.metrics) {
      const Use row = state_->prepared(
          "INSERT INTO evaluation_metrics (evaluation, metric, value, standard_error, n_generated,"
          " n_reference, network_hash) VALUES (?,?,?,?,?,?,?)");
      row.bind(1, id);
      bind_metric(row, 2, metric);
      row.bind(7, metric.network_hash);
      row.changes();
    }
  });
}

}  // namespace marquee::experiments
