// A user's own images: a folder, or a zip or tar archive of one (classes and splits:
// folder_splits.h).
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "datasets/dataset.h"
#include "datasets/folder_splits.h"

namespace marquee::datasets {

// `root`: the folder, or the archive. An archive is copied once into `cache` (as a TFRecord file,
// so that no name in it becomes a path) and read from there. Throws environment for an archive that
// is damaged, holds more than 10 million files, a file above 256 MiB, or 1 GiB and more than 100
// times its own size.
FolderSplits list_image_folder(const std::filesystem::path& root,
                               const std::filesystem::path& cache);
std::unique_ptr<Dataset> open_image_folder(const std::filesystem::path& root,
                                           std::string_view split,
                                           const std::filesystem::path& cache);

}  // namespace marquee::datasets
