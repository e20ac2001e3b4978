// Prepared TFDS folders: dataset_info.json, the shards it declares, and examples in stored order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/task.h"

namespace marquee::datasets {

struct TfdsSplit {
  std::vector<std::int64_t> shard_lengths;
  std::vector<std::filesystem::path> files;
  std::int64_t size() const;
};

struct TfdsFolder {
  std::filesystem::path path;  // .../<name>[/<config>]/<version>
  std::string name;            // "eurosat"
  std::map<std::string, TfdsSplit> splits;
};

// Finds the newest version below data_dir/<builder> that the task asks for (any version of the same
// major number, else the newest there with a warning) and reads its dataset_info.json. Throws
// environment naming the folder looked for.
TfdsFolder open_tfds_folder(const TaskInfo& task, const std::filesystem::path& data_dir);

// Rows of the named slices, one after the other. Throws environment when a shard is missing or
// shorter than declared.
std::unique_ptr<Dataset> open_tfds(const TaskInfo& task, const std::vector<Slice>& slices,
                                   const std::filesystem::path& data_dir);

}  // namespace marquee::datasets
