// What a sweep needs from outside its file, base models and data sets: fills in the content hashes
// of what is there, and lists what is not, each with what to do about it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

struct MissingInput {
  std::string what;    // "base", "data" or "task"
  std::string name;    // of the base or task
  std::string text;    // what is wrong
  std::string remedy;  // what to do
  cluster::ErrorKind kind = cluster::ErrorKind::environment;
};

// Every base and every task is looked at once; weights are compared with their hashes. Runs whose
// base or data are missing keep empty hashes, and so have no id yet.
std::vector<MissingInput> resolve_what_is_there(SweepFile& sweep,
                                                const std::filesystem::path& assets_dir,
                                                const std::filesystem::path& data_dir);

}  // namespace marquee::experiments
