// What a no-op trainer does instead of training (`marquee sweep --simulate`): how long runs last
// and which faults happen, scripted in the sweep file's block `simulate`. It drives the real
// coordinator and agents without LibTorch; its results carry hashes of their own, so that they are
// never taken for real ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/run_config.h"

namespace marquee::experiments {

// What base, network and data hash say in a simulated run.
inline constexpr const char* kSimulatedHash = "simulated";

struct SimulatedFault {
  // crash: SIGKILL; exit: exit code 7; hang: no further message; garbage: bytes that are no
  // message; no_start: exit before any message about the run; usage, environment, defect,
  // out_of_memory: the run fails with it; false_done: done without a result.
  std::string fault;
  std::map<std::string, std::vector<nlohmann::json>> match;  // run key -> values; empty: every run
  std::vector<int> attempts;                                 // empty: every one
  std::vector<std::string> hosts{};                          // of `slots`; empty: everywhere
};

struct SimulatedDuration {
  double seconds = 0;
  std::map<std::string, std::vector<nlohmann::json>> match;
};

// What an agent says of its slot instead of the truth.
struct SimulatedSlot {
  std::string host, kind;
  double memory = 0;  // GiB; 0: not known
};

struct Simulation {
  double seconds = 0;            // of a run
  int steps = 1;                 // progress messages of a run
  double deadline_seconds = 10;  // that it promises the next message within
  bool files = true;             // result.json and attempt.json, durable; false: nothing on disk
  int checkpoints = 0;           // files like a checkpoint's that each run leaves; needs `files`
  bool process_per_run = false;  // a new trainer for every run
  std::vector<SimulatedDuration> durations;  // the first that matches comes over `seconds`
  std::vector<SimulatedFault> faults;
  std::vector<SimulatedSlot>
      slots{};  // of the agents by rank, from the start again behind the last
};

const std::vector<std::string>& simulated_fault_names();

nlohmann::json to_json(const Simulation& simulation);
// Throws environment naming the key.
Simulation simulation_from_json(const nlohmann::json& content);

// What the agent of this number (from 0) is told: its own slot and the faults there.
Simulation simulation_of_agent(const Simulation& simulation, std::size_t agent);

// The fault of this attempt, "" for none: the first that matches.
std::string fault_of(const Simulation& simulation, const RunConfig& run, int attempt);

// How long this run lasts.
double seconds_of(const Simulation& simulation, const RunConfig& run);

}  // namespace marquee::experiments
