// How many images a task has, without reading any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "datasets/task.h"

namespace marquee::datasets {

struct ImageCounts {
  std::int64_t train = 0, test = 0;  // train: trainval, or the 1,000 of a VTAB-1k folder
};

// Throws environment where the data are missing or damaged.
ImageCounts count_images(const TaskInfo& task, const std::filesystem::path& data_dir);

// Of a run on `shots` of a task with `classes`, of whose images `all` may be trained on.
std::int64_t images_of_shots(std::string_view shots, int classes, std::int64_t all);

}  // namespace marquee::datasets
