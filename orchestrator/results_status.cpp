#include "orchestrator/results_status.h"

#include <chrono>
#include <map>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "experiments/claim.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A coordinator publishes at least every 20 s, or 50 times as long as a copy takes.
constexpr double kSilentSeconds = 300;

constexpr const char* kCounts =
    "SELECT sweep, status, sum(n) AS n FROM ("
    " SELECT m.sweep AS sweep, r.status AS status, 1 AS n"
    "  FROM sweep_runs m JOIN runs r ON r.run_id = m.run_id"
    " UNION ALL SELECT '(single runs)', r.status, 1 FROM runs r"
    "  WHERE r.run_id NOT IN (SELECT run_id FROM sweep_runs))"
    " GROUP BY sweep, status ORDER BY sweep, status";

constexpr const char* kCoordinator =
    "SELECT epoch, sweep, host, pid, workers, started, updated, ended, runs, done, failed, "
    "cancelled,"
    " fresh_done, runs_per_hour, seconds_left,"
    " (julianday('now') - julianday(updated)) * 86400.0 AS age_seconds"
    " FROM coordinators ORDER BY epoch DESC LIMIT 1";

// Overdue: when the coordinator last wrote, the deadline had passed.
constexpr const char* kSlots =
    "SELECT s.host, s.slot, s.run_id, r.task, r.shots, r.method, r.seed, s.attempt, s.phase, "
    "s.step,"
    " s.total, s.since, s.progressed, s.deadline,"
    " (julianday('now') - julianday(s.since)) * 86400.0 AS seconds,"
    " coalesce(s.deadline < (SELECT max(updated) FROM coordinators), 0) AS overdue"
    " FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id ORDER BY s.host, s.slot";

constexpr const char* kFailures =
    "SELECT f.run_id, f.task, f.shots, f.method, f.seed, f.attempt, f.cause, f.message, f.host,"
    " f.ended FROM failures f WHERE f.status = 'failed' ORDER BY f.ended DESC LIMIT 5";

// Hosts that the newest coordinator gives no more runs.
constexpr const char* kExcluded =
    "SELECT time, text FROM events WHERE kind = 'host_excluded'"
    " AND epoch = (SELECT max(epoch) FROM coordinators) ORDER BY event";

json sweeps_of(const fs::path& database) {
  json by_name = json::object();
  for (const json& row : analysis::query_rows(database, kCounts)) {
    json& sweep = by_name[row.at("sweep").get<std::string>()];
    const auto count = row.at("n").get<std::int64_t>();
    sweep[row.at("status").get<std::string>()] = count;
    sweep["runs"] = sweep.value("runs", std::int64_t{0}) + count;
  }
  json sweeps = json::array();
  for (auto& [name, counts] : by_name.items()) {
    counts["sweep"] = name;
    sweeps.push_back(counts);
  }
  return sweeps;
}

// Runs that are claimed by workers without a coordinator (marquee work), and when each was renewed.
json workers_of(const fs::path& database) {
  const fs::path results = database.parent_path();
  json workers = json::array();
  const std::vector<experiments::ClaimState> claims = experiments::open_claims(results);
  if (claims.empty()) return workers;
  std::map<std::string, json> runs;
  for (const json& row :
       analysis::query_rows(database, "SELECT run_id, task, shots, method, seed FROM runs"))
    runs[row.at("run_id").get<std::string>()] = row;
  for (const experiments::ClaimState& claim : claims) {
    std::error_code error;
    const auto renewed = fs::last_write_time(
        experiments::claim_file(results, experiments::RunId(claim.run_id)), error);
    const auto known = runs.find(claim.run_id);
    if (error || known == runs.end()) continue;
    json worker = known->second;
    worker["host"] = claim.holder.host;
    worker["pid"] = claim.holder.pid;
    worker["age_seconds"] =
        std::chrono::duration<double>(fs::file_time_type::clock::now() - renewed).count();
    workers.push_back(std::move(worker));
  }
  return workers;
}

}  // namespace

json status_of(const fs::path& database) {
  json status{{"sweeps", sweeps_of(database)},
              {"failures", analysis::query_rows(database, kFailures)}};
  json coordinator, slots = json::array(), stuck = json::array(), excluded = json::array();
  try {
    if (const json found = analysis::query_rows(database, kCoordinator); !found.empty())
      coordinator = found[0];
    slots = analysis::query_rows(database, kSlots);
    excluded = analysis::query_rows(database, kExcluded);
  } catch (const cluster::Error&) {
    // Published by a version that did not tell: counts are all there is.
  }
  if (!coordinator.is_null()) {
    const bool silent = coordinator.at("age_seconds").get<double>() > kSilentSeconds;
    coordinator["state"] = !coordinator.at("ended").is_null() ? "ended"
                           : silent                           ? "silent"
                                                              : "running";
  }
  for (const json& slot : slots)
    if (slot.at("overdue") == 1) stuck.push_back(slot);
  status["coordinator"] = coordinator;
  status["slots"] = slots;
  status["stuck"] = stuck;
  status["workers"] = workers_of(database);
  status["excluded_hosts"] = excluded;
  return status;
}

bool is_worked_on(const json& status) {
  const json& coordinator = status.at("coordinator");
  return !status.at("workers").empty() ||
         (!coordinator.is_null() && coordinator.at("state") == "running");
}

}  // namespace marquee::orchestrator
