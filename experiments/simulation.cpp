#include "experiments/simulation.h"

#include <algorithm>

#include "cluster/error.h"

namespace marquee::experiments {

using nlohmann::json;

const std::vector<std::string>& simulated_fault_names() {
  static const std::vector<std::string> names{"crash", "exit",        "hang",   "garbage",
                                              "usage", "environment", "defect", "false_done"};
  return names;
}

json to_json(const Simulation& simulation) {
  json faults = json::array();
  for (const SimulatedFault& fault : simulation.faults) {
    faults.push_back(
        {{"fault", fault.fault}, {"match", fault.match}, {"attempts", fault.attempts}});
  }
  return {{"seconds", simulation.seconds},
          {"steps", simulation.steps},
          {"deadline_seconds", simulation.deadline_seconds},
          {"files", simulation.files},
          {"process_per_run", simulation.process_per_run},
          {"faults", faults}};
}

Simulation simulation_from_json(const json& content) {
  try {
    Simulation simulation;
    simulation.seconds = content.at("seconds").get<double>();
    simulation.steps = content.at("steps").get<int>();
    simulation.deadline_seconds = content.at("deadline_seconds").get<double>();
    simulation.files = content.at("files").get<bool>();
    simulation.process_per_run = content.at("process_per_run").get<bool>();
    for (const json& entry : content.at("faults")) {
      simulation.faults.push_back(
          {entry.at("fault").get<std::string>(),
           entry.at("match").get<std::map<std::string, std::vector<json>>>(),
           entry.at("attempts").get<std::vector<int>>()});
    }
    return simulation;
  } catch (const json::exception& error) {
    cluster::throw_environment(std::string("simulation refused: ") + error.what());
  }
}

std::string fault_of(const Simulation& simulation, const RunConfig& run, int attempt) {
  if (simulation.faults.empty()) return "";
  const json content = to_json(run);
  for (const SimulatedFault& fault : simulation.faults) {
    const bool right_attempt =
        fault.attempts.empty() ||
        std::find(fault.attempts.begin(), fault.attempts.end(), attempt) != fault.attempts.end();
    const bool right_run =
        std::all_of(fault.match.begin(), fault.match.end(), [&](const auto& entry) {
          return std::find(entry.second.begin(), entry.second.end(), content.at(entry.first)) !=
                 entry.second.end();
        });
    if (right_attempt && right_run) return fault.fault;
  }
  return "";
}

}  // namespace marquee::experiments
