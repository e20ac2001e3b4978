// Sweep files: YAML that expands to runs. docs/sweeps.md describes every key.
//
//   name, base            the sweep's name; the base model of every run
//   defaults              run keys for every run
//   methods.NAME          run keys for the runs of one method, over defaults
//   tasks.NAME            run keys for the runs on one task, over both
//   matrix                lists of values; every combination is a run
//   zip                   lists of one length that are walked together, crossed with the matrix
//   exclude               patterns of runs of matrix and zip that are left out
//   include               further small matrices, crossed with nothing
//   subsets.NAME          patterns; `--subset NAME` runs what matches
//   oracles               false leaves out the two oracle rows of every task
//   keep                  what stays of finished runs (keep_policy.h)
//   simulate              what a no-op trainer does (simulation.h); used with `--simulate` alone
//
// A pattern maps run keys to a value or a list of values; a run matches when every key has one of
// them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/keep_policy.h"
#include "experiments/run_config.h"
#include "experiments/simulation.h"

namespace marquee::experiments {

struct SweepFile {
  std::string name;
  std::vector<RunConfig> runs;  // without duplicates: the grid in the order of the matrix (task,
                                // shots, method, seed, further axes as in the file, zip), then
                                // include, then oracle rows
  std::vector<std::string> subsets;  // names that the file defines
  KeepPolicy keep;
  Simulation simulation;
  std::string sha256;  // of the file
  std::filesystem::path file;
};

// `subset`: one that the file defines; "" for all runs. Throws usage "FILE:LINE: ..." for unknown
// keys, wrong types, impossible values, patterns that match nothing, and more than 100,000 runs.
SweepFile load_sweep(const std::filesystem::path& path, const std::string& subset = "");

// A single run from a YAML file of RunConfig keys (run.yaml of an attempt folder).
RunConfig load_run(const std::filesystem::path& path);

// Gives every run the hashes of a simulation: no base and no data are needed.
void mark_simulated(RunConfig& run);
void mark_simulated(SweepFile& sweep);

// Once the hashes are known: of runs with one id all but the first go. Until then runs count as
// different that differ in the base's name, or in keys which only some family of bases reads.
void drop_twins(SweepFile& sweep);

}  // namespace marquee::experiments
