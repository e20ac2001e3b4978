// How each data set is made with TFDS, and how many examples the tasks use of it.
// docs/data.md says the same; a test compares them.
#pragma once

#include <cstdint>
#include <string>

#include "datasets/task.h"

namespace marquee::datasets {

struct TfdsBuild {
  const char* builder = "";  // as the tasks name it
  const char* target = "";   // the version that today's TFDS makes, and options it needs
  // As published: in the stored splits that the tasks use, and in their test split.
  std::int64_t examples = 0, test_examples = 0;
};

// Defect for a drawn task.
const TfdsBuild& tfds_build_of(const TaskInfo& task);

// "tfds build --data_dir DIR kitti:3.3.0".
std::string tfds_build_command(const TaskInfo& task, const std::string& data_dir);

}  // namespace marquee::datasets
