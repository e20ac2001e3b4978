#include "experiments/simulation_yaml.h"

#include <algorithm>

#include "cluster/suggest.h"
#include "experiments/run_pattern.h"

namespace marquee::experiments {
namespace {

constexpr double kLongestSeconds = 86400;

using Match = std::map<std::string, std::vector<nlohmann::json>>;

Match read_match(const YamlSource& source, const YAML::Node& node) {
  Match match;
  for (const auto& [key, settings] : read_pattern(source, node, "match").keys) {
    for (const Setting& setting : settings) match[key].push_back(setting.value);
  }
  return match;
}

std::string read_word(const YamlSource& source, const YAML::Node& node, const std::string& name) {
  if (!node.IsScalar() || node.Scalar().empty()) source.fail(node, "'" + name + "' must be a word");
  return node.Scalar();
}

SimulatedFault read_fault(const YamlSource& source, const YAML::Node& node) {
  source.check_keys(node, "faults", {"fault", "match", "attempts", "hosts"});
  const std::vector<std::string>& names = simulated_fault_names();
  const std::string name = node["fault"] && node["fault"].IsScalar() ? node["fault"].Scalar() : "";
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    source.fail(node["fault"] ? node["fault"] : node,
                "'fault' is '" + name + "'" + cluster::did_you_mean(name, names) +
                    "; expected one of " + cluster::join(names));
  }
  SimulatedFault fault;
  fault.fault = name;
  if (node["match"]) fault.match = read_match(source, node["match"]);
  if (const YAML::Node attempts = node["attempts"]) {
    source.check_list(attempts, "attempts");
    for (const auto& entry : attempts)
      fault.attempts.push_back(source.whole_number(entry, "attempts", 1, 1000, 1));
  }
  if (const YAML::Node hosts = node["hosts"]) {
    source.check_list(hosts, "hosts");
    for (const auto& entry : hosts) fault.hosts.push_back(read_word(source, entry, "hosts"));
  }
  return fault;
}

SimulatedSlot read_slot(const YamlSource& source, const YAML::Node& node) {
  source.check_keys(node, "slots", {"host", "kind", "memory"});
  if (!node["host"]) source.fail(node, "'host' is missing in an entry of 'slots'");
  SimulatedSlot slot;
  slot.host = read_word(source, node["host"], "host");
  if (node["kind"]) slot.kind = read_word(source, node["kind"], "kind");
  slot.memory = source.number(node["memory"], "memory", 0, 1 << 20, 0);
  return slot;
}

SimulatedDuration read_duration(const YamlSource& source, const YAML::Node& node) {
  source.check_keys(node, "durations", {"seconds", "match"});
  for (const char* key : {"seconds", "match"}) {
    if (!node[key])
      source.fail(node, "'" + std::string(key) + "' is missing in an entry of 'durations'");
  }
  return {source.number(node["seconds"], "seconds", 0, kLongestSeconds, 0),
          read_match(source, node["match"])};
}

}  // namespace

Simulation read_simulation(const YamlSource& source, const YAML::Node& node) {
  source.check_keys(node, "simulate",
                    {"seconds", "steps", "deadline_seconds", "files", "checkpoints",
                     "process_per_run", "durations", "faults", "slots"});
  Simulation simulation;
  const Simulation usual;
  simulation.seconds = source.number(node["seconds"], "seconds", 0, kLongestSeconds, usual.seconds);
  simulation.steps = source.whole_number(node["steps"], "steps", 1, 1'000'000, usual.steps);
  simulation.deadline_seconds = source.number(node["deadline_seconds"], "deadline_seconds", 0.1,
                                              kLongestSeconds, usual.deadline_seconds);
  simulation.files = source.flag(node["files"], "files", usual.files);
  simulation.checkpoints =
      source.whole_number(node["checkpoints"], "checkpoints", 0, 1000, usual.checkpoints);
  simulation.process_per_run =
      source.flag(node["process_per_run"], "process_per_run", usual.process_per_run);
  if (node["durations"]) {
    source.check_list(node["durations"], "durations");
    for (const auto& entry : node["durations"])
      simulation.durations.push_back(read_duration(source, entry));
  }
  if (node["faults"]) {
    source.check_list(node["faults"], "faults");
    for (const auto& entry : node["faults"]) simulation.faults.push_back(read_fault(source, entry));
  }
  if (node["slots"]) {
    source.check_list(node["slots"], "slots");
    for (const auto& entry : node["slots"]) simulation.slots.push_back(read_slot(source, entry));
  }
  for (const SimulatedFault& fault : simulation.faults) {
    for (const std::string& host : fault.hosts) {
      const bool there = std::any_of(simulation.slots.begin(), simulation.slots.end(),
                                     [&](const SimulatedSlot& slot) { return slot.host == host; });
      if (!there) source.fail(node["faults"], "no slot of 'slots' is on host '" + host + "'");
    }
  }
  return simulation;
}

}  // namespace marquee::experiments
