#include "experiments/simulation.h"

#include <algorithm>

#include "cluster/error.h"

namespace marquee::experiments {

using nlohmann::json;

namespace {

bool matches(const json& run, const std::map<std::string, std::vector<json>>& match) {
  return std::all_of(match.begin(), match.end(), [&](const auto& entry) {
    return std::find(entry.second.begin(), entry.second.end(), run.at(entry.first)) !=
           entry.second.end();
  });
}

}  // namespace

const std::vector<std::string>& simulated_fault_names() {
  static const std::vector<std::string> names{
      "crash", "exit",        "hang",   "garbage",       "no_start",
      "usage", "environment", "defect", "out_of_memory", "false_done"};
  return names;
}

json to_json(const Simulation& simulation) {
  json faults = json::array(), durations = json::array(), slots = json::array();
  for (const SimulatedDuration& duration : simulation.durations)
    durations.push_back({{"seconds", duration.seconds}, {"match", duration.match}});
  for (const SimulatedFault& fault : simulation.faults) {
    faults.push_back({{"fault", fault.fault},
                      {"match", fault.match},
                      {"attempts", fault.attempts},
                      {"hosts", fault.hosts}});
  }
  for (const SimulatedSlot& slot : simulation.slots)
    slots.push_back({{"host", slot.host}, {"kind", slot.kind}, {"memory", slot.memory}});
  return {{"seconds", simulation.seconds},
          {"steps", simulation.steps},
          {"deadline_seconds", simulation.deadline_seconds},
          {"files", simulation.files},
          {"checkpoints", simulation.checkpoints},
          {"process_per_run", simulation.process_per_run},
          {"durations", durations},
          {"faults", faults},
          {"slots", slots}};
}

Simulation simulation_from_json(const json& content) {
  try {
    Simulation simulation;
    simulation.seconds = content.at("seconds").get<double>();
    simulation.steps = content.at("steps").get<int>();
    simulation.deadline_seconds = content.at("deadline_seconds").get<double>();
    simulation.files = content.at("files").get<bool>();
    simulation.checkpoints = content.at("checkpoints").get<int>();
    simulation.process_per_run = content.at("process_per_run").get<bool>();
    for (const json& entry : content.at("durations")) {
      simulation.durations.push_back(
          {entry.at("seconds").get<double>(),
           entry.at("match").get<std::map<std::string, std::vector<json>>>()});
    }
    for (const json& entry : content.at("faults")) {
      simulation.faults.push_back(
          {entry.at("fault").get<std::string>(),
           entry.at("match").get<std::map<std::string, std::vector<json>>>(),
           entry.at("attempts").get<std::vector<int>>(),
           entry.at("hosts").get<std::vector<std::string>>()});
    }
    for (const json& entry : content.at("slots")) {
      simulation.slots.push_back({entry.at("host").get<std::string>(),
                                  entry.at("kind").get<std::string>(),
                                  entry.at("memory").get<double>()});
    }
    return simulation;
  } catch (const json::exception& error) {
    cluster::throw_environment(std::string("simulation refused: ") + error.what());
  }
}

Simulation simulation_of_agent(const Simulation& simulation, std::size_t agent) {
  Simulation own = simulation;
  if (simulation.slots.empty()) return own;
  own.slots = {simulation.slots[agent % simulation.slots.size()]};
  std::erase_if(own.faults, [&](const SimulatedFault& fault) {
    return !fault.hosts.empty() && std::find(fault.hosts.begin(), fault.hosts.end(),
                                             own.slots.front().host) == fault.hosts.end();
  });
  return own;
}

std::string fault_of(const Simulation& simulation, const RunConfig& run, int attempt) {
  if (simulation.faults.empty()) return "";
  const json content = to_json(run);
  for (const SimulatedFault& fault : simulation.faults) {
    const bool right_attempt =
        fault.attempts.empty() ||
        std::find(fault.attempts.begin(), fault.attempts.end(), attempt) != fault.attempts.end();
    if (right_attempt && matches(content, fault.match)) return fault.fault;
  }
  return "";
}

double seconds_of(const Simulation& simulation, const RunConfig& run) {
  if (simulation.durations.empty()) return simulation.seconds;
  const json content = to_json(run);
  for (const SimulatedDuration& duration : simulation.durations) {
    if (matches(content, duration.match)) return duration.seconds;
  }
  return simulation.seconds;
}

}  // namespace marquee::experiments
