// A task's data written in another form.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/inspection.h"

namespace marquee::datasets {

// A VTAB-1k folder <to>/<folder>: train800, val200, train800val200 and test in TFDS's iteration
// order, pixels saved as JPEG with the settings that the folders in circulation have (Pillow's:
// quality 75, 4:2:0); with data.fast_dct the files are equal to theirs. Throws usage when
// the folder is there already, environment when data or disk fail; a killed export leaves no folder
// of that name (after a power cut, verify it). Examples without a class are left out; returns how
// many were.
std::size_t export_vtab1k(const TaskInfo& task, const DataFolder& data,
                          const std::filesystem::path& to, const DataProgress& progress);

// An image folder <to>/<split>/<class>/<position>.<ending> with the stored bytes (dSprites: PNG of
// the pixels that runs get); the same otherwise.
std::size_t export_image_folder(const TaskInfo& task, const std::vector<std::string>& splits,
                                const DataFolder& data, const std::filesystem::path& to,
                                const DataProgress& progress);

}  // namespace marquee::datasets
