#include "orchestrator/sweep/run_history.h"

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "experiments/results_folder.h"
#include "experiments/simulation.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

json parsed(const json& text) {
  return text.is_string() ? json::parse(text.get<std::string>(), nullptr, false) : json();
}

// A finished run that says nothing sound about its time is passed over.
void learn(experiments::RunTimeModel& model, const json& row) {
  const json provenance = parsed(row.at("provenance"));
  if (!provenance.is_object() || !provenance.contains(experiments::kTimingKey)) return;
  const auto times = experiments::phase_times_from_json(provenance.at(experiments::kTimingKey));
  if (!times) return;
  try {
    model.add(experiments::run_config_from_json(parsed(row.at("config"))),
              experiments::machine_of(parsed(row.at("fingerprint"))), *times);
  } catch (const cluster::Error&) {
    // A configuration of another version.
  }
}

}  // namespace

experiments::RunTimeModel read_times(const std::filesystem::path& results,
                                     const std::string& machine) {
  experiments::RunTimeModel times(machine);
  const std::filesystem::path database = results / experiments::kPublishedFile;
  if (results.empty() || !std::filesystem::exists(database)) return times;
  // The newest are the most like what comes.
  const json finished = analysis::query_rows(
      database,
      "SELECT r.config AS config, a.fingerprint AS fingerprint, a.provenance AS provenance "
      "FROM attempts a JOIN runs r ON r.run_id = a.run_id WHERE a.status = 'done' "
      "ORDER BY a.ended DESC LIMIT 5000");
  for (const json& row : finished) learn(times, row);
  return times;
}

std::map<std::string, std::string> read_statuses(const std::filesystem::path& results) {
  std::map<std::string, std::string> statuses;
  const std::filesystem::path database = results / experiments::kPublishedFile;
  if (results.empty() || !std::filesystem::exists(database)) return statuses;
  for (const json& row : analysis::query_rows(database, "SELECT run_id, status FROM runs"))
    statuses[row.at("run_id").get<std::string>()] = row.at("status").get<std::string>();
  return statuses;
}

std::string machine_here(bool simulate) {
  const json simulated{{"device", experiments::kSimulatedHash}};
  const json real{{"device", "cpu"}, {"cpu", cluster::cpu_model()}};
  return experiments::machine_of(simulate ? simulated : real);
}

}  // namespace marquee::orchestrator
