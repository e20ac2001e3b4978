// The files that a task's splits are read from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/task.h"

namespace marquee::datasets {

// Their names below `data_dir`, with '/', in byte order: of a TFDS folder what describes it and the
// shards of those stored splits that the task uses; of a VTAB-1k folder the lists and the images
// that they name; of a user's own images those of every split. What is missing is left out. Read
// from a folder that holds these alone, the task is the same. Nothing for drawn tasks, and for an
// archive, which is read through its unpacked copy in the cache. Throws environment when the data
// are not there.
std::vector<std::string> data_files(const TaskInfo& task, const std::filesystem::path& data_dir);

}  // namespace marquee::datasets
