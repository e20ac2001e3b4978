// What the data of a task are, for run ids and cache keys.
#pragma once

#include <filesystem>
#include <string>

#include "datasets/task.h"

namespace marquee::datasets {

// SHA-256 over dataset_info.json, features.json and the name and size of every shard; for drawn
// tasks over the generator's version; for VTAB-1k folders over the lists and the images' sizes;
// for image folders over names, labels and sizes, for archives over all their bytes.
// Throws environment when the data are not there.
std::string dataset_content_hash(const TaskInfo& task, const std::filesystem::path& data_dir);

// What a run must know of its data before it starts.
struct DataSummary {
  std::string hash;            // dataset_content_hash
  int num_classes = 0;         // of the task, or of the user's own images
  bool only_thousand = false;  // a VTAB-1k folder: 1,000 training images, no other splits but test
};
// Throws as dataset_content_hash does.
DataSummary summarise_data(const TaskInfo& task, const std::filesystem::path& data_dir);

}  // namespace marquee::datasets
