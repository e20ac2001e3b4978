// Sweep files: YAML that expands to runs (experiments/quickstart.yaml explains every key).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run_config.h"

namespace marquee::experiments {

struct SweepFile {
  std::string name;
  std::vector<RunConfig> runs;  // without duplicates, in the order of the matrix; oracle rows last
  std::string sha256;           // of the file
  std::filesystem::path file;
};

// Throws usage "FILE:LINE: ..." for unknown keys, wrong types and impossible values.
SweepFile load_sweep(const std::filesystem::path& path);

// A single run from a YAML file of RunConfig keys (run.yaml of an attempt folder).
RunConfig load_run(const std::filesystem::path& path);

// Fills base_hash, network_hash and data_hash of every run. Throws environment where data or base
// are missing.
void resolve_hashes(RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir);
void resolve_hashes(SweepFile& sweep, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir);

}  // namespace marquee::experiments
