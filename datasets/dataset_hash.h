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

}  // namespace marquee::datasets
