// What `marquee plan` says before anything is computed: what is left to do, how long it takes, what
// it needs of memory and disk, and what is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/sweep_inputs.h"
#include "orchestrator/sweep/prepared_sweep.h"

namespace marquee::orchestrator {

struct PlanOptions {
  SweepOptions sweep;
  double probe_seconds = 120;  // for all probes together
};

struct RunPlan {
  std::string run_id;  // "" while its base or data are missing
  experiments::RunConfig run;
  std::string status;             // pending, running, done, failed, cancelled
  std::int64_t resume_step = 0;   // of its newest valid checkpoint
  std::optional<double> seconds;  // that it takes from there
  std::string basis;              // of the prediction: "12 runs, same method", "probe"
};

struct SweepPlan {
  std::string sweep, subset, out;
  std::vector<RunPlan> runs;                       // in the order of the sweep file
  std::size_t done = 0, cancelled = 0, to_do = 0;  // all of them
  std::size_t failed = 0, resumable = 0;           // of those to do
  int workers = 1;
  std::size_t without_prediction = 0;  // of those to do
  double known_seconds = 0;            // of the others, with all workers
  std::string time_basis;              // "" where nothing is predicted
  std::vector<std::string> notes;
  std::int64_t memory_of_trainer = 0, memory_in_all = 0, memory_there = 0;
  bool memory_measured = false;  // by finished runs or a probe; else worked out from sizes
  std::int64_t disk_needed = 0, disk_free = 0;
  std::vector<experiments::MissingInput> missing;

  bool can_start() const { return missing.empty(); }
  // 0, or the kind of the first thing that is missing.
  int exit_code() const;
};

// Throws usage for a sweep file that cannot be read; everything else that is wrong is in `missing`.
SweepPlan make_plan(const PlanOptions& options);

nlohmann::json to_json(const SweepPlan& plan);  // docs/sweeps.md
std::string to_text(const SweepPlan& plan);

}  // namespace marquee::orchestrator
