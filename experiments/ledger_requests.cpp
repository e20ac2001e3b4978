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

}  // namespace marquee::experiments
