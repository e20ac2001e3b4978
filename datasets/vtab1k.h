// VTAB-1k folders, as the papers on parameter-efficient tuning pass them round:
//   <data>/<folder>/<split>.txt       lines "images/<split>/000000.jpg <label>"
//   <data>/<folder>/images/<split>/…
// with the splits train800, val200, train800val200 and test, in the order in which TFDS iterates.
// Source: reference/vtab.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace marquee::datasets {

// Whether `data_dir` holds the task in this layout.
bool has_vtab1k(const TaskInfo& task, const std::filesystem::path& data_dir);

// The list files that are there, in the order of split_names().
std::vector<std::filesystem::path> vtab1k_lists(const TaskInfo& task,
                                                const std::filesystem::path& data_dir);

// Throws usage for a split that the layout does not have, environment naming file and line for a
// line that is no path below the folder and a label of the task. Images are opened on demand.
std::unique_ptr<Dataset> open_vtab1k(const TaskInfo& task, std::string_view split,
                                     const DataFolder& data);

}  // namespace marquee::datasets
