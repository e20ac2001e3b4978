// What runs need from outside their file, base models and data sets: fills in what they take from
// those (hashes, protocol), and lists what is not there, each with what to do about it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

struct MissingInput {
  std::string what;    // "base", "network", "data" or "task"
  std::string name;    // of the base, network or task
  std::string text;    // what is wrong
  std::string remedy;  // what to do
  cluster::ErrorKind kind = cluster::ErrorKind::environment;
};

// Every base and every task is looked at once; weights are compared with their hashes. Runs whose
// base or data are missing keep empty hashes, and so have no id yet.
std::vector<MissingInput> resolve_what_is_there(SweepFile& sweep,
                                                const std::filesystem::path& assets_dir,
                                                const std::filesystem::path& data_dir);

// The same for runs that are to be computed: throws environment where data or base are missing,
// usage where the base was pretrained on the task.
void resolve_hashes(RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir);
// Each base and each task is read once. Of a sweep's runs that turn out to be one, one stays.
void resolve_hashes(std::vector<RunConfig>& runs, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir);
void resolve_hashes(SweepFile& sweep, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir);

}  // namespace marquee::experiments
