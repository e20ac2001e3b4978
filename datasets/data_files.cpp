#include "datasets/data_files.h"

#include <set>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/image_folder.h"
#include "datasets/tfds_folder.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

void add_tfds(const TaskInfo& task, const fs::path& data_dir, Names& names) {
  const TfdsFolder folder = open_tfds_folder(task, data_dir);
  const std::string below = folder.path.lexically_relative(data_dir).generic_string() + "/";
  std::error_code error;
  fs::directory_iterator entries(folder.path, error);
  for (const auto end = fs::end(entries); !error && entries != end; entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    // Shards come from the list of those that the task uses.
    if (name.find(".tfrecord") == std::string::npos) names.insert(below + name);
  }
  if (error)
    cluster::throw_environment(folder.path.string() + ": cannot be read (" + error.message() + ")");
  for (const std::string& name : stored_splits(task)) {
    const auto split = folder.splits.find(name);
    if (split == folder.splits.end()) continue;
    for (const fs::path& shard : split->second.files)
      names.insert(below + shard.filename().string());
  }
}

void add_vtab1k(const TaskInfo& task, const fs::path& data_dir, Names& names) {
  const std::string below = task.vtab1k_folder + "/";
  for (const fs::path& list : vtab1k_lists(task, data_dir)) {
    names.insert(below + list.filename().string());
    const auto dataset = open_vtab1k(task, list.stem().string(), data_dir);
    for (std::size_t i = 0; i < dataset->size(); ++i) names.insert(below + dataset->id(i));
  }
}

void add_images(const TaskInfo& task, const fs::path& data_dir, Names& names) {
  const fs::path root = find_image_folder(task, data_dir);
  if (fs::is_regular_file(root)) return;
  const FolderSplits splits = list_image_folder(task, {data_dir});
  const std::string below = root.lexically_relative(data_dir).generic_string() + "/";
  for (const auto* images : {&splits.train, &splits.val, &splits.test})
    for (const FolderImage& image : *images) names.insert(below + image.path);
}

}  // namespace

std::vector<std::string> data_files(const TaskInfo& task, const fs::path& data_dir) {
  Names names;
  switch (layout_of(task, data_dir)) {
    case DataLayout::drawn:
      break;
    case DataLayout::tfds:
      add_tfds(task, data_dir, names);
      break;
    case DataLayout::vtab1k:
      add_vtab1k(task, data_dir, names);
      break;
    case DataLayout::images:
      add_images(task, data_dir, names);
      break;
  }
  std::vector<std::string> there;
  for (const std::string& name : names)
    if (fs::is_regular_file(data_dir / name)) there.push_back(name);
  return there;
}

}  // namespace marquee::datasets
