// How the files of a folder (or an archive of one) are sorted into classes and splits, by their
// paths alone. Pure.
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

#include <string>
#include <vector>

namespace marquee::datasets {

struct FolderImage {
  std::string path;  // below the root, with '/'
  int label = 0;
};

struct FolderSplits {
  std::vector<std::string> classes;  // {"all"} where nothing is labelled
  // Without files that are no images by their names, or lie beside the classes.
  std::vector<FolderImage> train, val, test;
};

// Sorts the paths of a folder's files into classes and splits. Throws environment naming `root`
// when there is no image, or a train/ without a test/.
FolderSplits split_folder(const std::vector<std::string>& paths, const std::string& root);

}  // namespace marquee::datasets
