// features.json: whether the examples of a folder hold what a task's rule reads.
#pragma once

#include <filesystem>

#include "datasets/task.h"

namespace marquee::datasets {

// Compares features.json, where the folder of a version has one (older TFDS wrote none), with what
// the task reads: its image feature, its label feature and the number of classes. Throws
// environment naming file, feature, what it is and what was expected.
void check_tfds_features(const TaskInfo& task, const std::filesystem::path& folder);

}  // namespace marquee::datasets
