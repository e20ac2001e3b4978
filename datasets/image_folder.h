// A user's own images: a folder, or a zip or tar archive of one (classes and splits:
// folder_splits.h).
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "datasets/dataset.h"
#include "datasets/folder_splits.h"

namespace marquee::datasets {

// Below `data_dir`: the folder that the task folder/NAME names, or NAME.zip, .tar, .tar.gz, .tgz,
// .tar.xz, .tar.bz2; empty where there is none.
std::filesystem::path find_image_folder(const TaskInfo& task,
                                        const std::filesystem::path& data_dir);

// `root`: the folder, or the archive. An archive is copied once into `cache` (as a TFRecord file,
// so that no name in it becomes a path) and read from there. Throws environment for an archive that
// is damaged, holds more than 10 million files, a file above 256 MiB, or 1 GiB and more than 100
// times its own size.
FolderSplits list_image_folder(const std::filesystem::path& root,
                               const std::filesystem::path& cache);
// Of the task folder/NAME. Throws environment naming the places looked at. Without a cache an
// archive's names are listed and nothing is unpacked.
FolderSplits list_image_folder(const TaskInfo& task, const DataFolder& data);
// `data`: path is the folder or archive itself; an archive needs a cache.
std::unique_ptr<Dataset> open_image_folder(std::string_view split, const DataFolder& data);
std::unique_ptr<Dataset> open_image_folder(const TaskInfo& task, std::string_view split,
                                           const DataFolder& data);

}  // namespace marquee::datasets
