// Which of the 19 tasks a data folder holds, of which version, and whether their files are all
// there: from names, sizes and dataset_info.json, without reading the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "datasets/task.h"

namespace marquee::datasets {

enum class Standing {
  missing,
  as_vtab_asks,   // a TFDS version that VTAB names
  same_content,   // one known to hold the same images and labels
  other_version,  // another TFDS version: it may hold other images, labels or splits
  vtab1k,         // a VTAB-1k folder
};
std::string_view to_string(Standing standing);

struct TaskPresence {
  std::string task;
  Standing standing = Standing::missing;
  std::filesystem::path path;         // of the version, or the VTAB-1k folder
  std::string version;                // of TFDS
  std::int64_t examples = 0;          // declared; of a VTAB-1k folder the lines of all lists
  std::vector<std::string> problems;  // what is not there or not as declared; empty: complete
  std::string note;                   // what is unusual, but no fault
};

// One of each of the 19, in their order. Throws environment when `data_dir` is no folder.
std::vector<TaskPresence> survey_data(const std::filesystem::path& data_dir);

nlohmann::json to_json(const TaskPresence& presence);

}  // namespace marquee::datasets
