// A user's own images: a folder, or a zip or tar archive of one.
//
// <class>/<image>: split by us: of each class 80 % train, 10 % val, the rest test.
//
// train/<class>/<image>, test/...: split by the user; without val/ (or validation/) a tenth of
// train is val.
//
// <image>: unlabelled, one class.
//
// Classes are the folders' names in byte order. Where we split, and in the order of every split,
// images are ordered by the SHA-256 of their path below the folder, so that the same files give the
// same splits everywhere. Deeper folders belong to their class.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace marquee::datasets {

struct FolderImage {
  std::string path;  // below the root, with '/'
  int label = 0;
};

struct FolderSplits {
  std::vector<std::string> classes;  // {"all"} where nothing is labelled
  bool labelled = true;
  std::vector<FolderImage> train, val, test;
  std::size_t passed_over =
      0;  // files that are no images by their names, or lie beside the classes
};

// Sorts the paths of a folder's files into classes and splits. Throws environment naming `root`
// when there is no image, or a train/ without a test/.
FolderSplits split_folder(const std::vector<std::string>& paths, const std::string& root);

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
