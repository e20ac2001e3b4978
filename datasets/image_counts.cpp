#include "datasets/image_counts.h"

#include <algorithm>

#include "datasets/dataset.h"
#include "datasets/image_folder.h"
#include "datasets/shots.h"
#include "datasets/tfds_folder.h"

namespace marquee::datasets {
namespace {

constexpr std::int64_t kVtab1k = 1000;

std::int64_t rows_of(const std::vector<Slice>& slices, const TfdsFolder& folder) {
  std::int64_t rows = 0;
  for (const Slice& slice : slices) {
    const auto split = folder.splits.find(slice.split);
    if (split == folder.splits.end()) continue;
    const auto [from, to] = slice.rows_of(split->second.size());
    rows += std::max<std::int64_t>(0, to - from);
  }
  return rows;
}

}  // namespace

ImageCounts count_images(const TaskInfo& task, const std::filesystem::path& data_dir) {
  const auto size = [&](const char* split) {
    return static_cast<std::int64_t>(open_dataset(task, split, data_dir)->size());
  };
  switch (layout_of(task, data_dir)) {
    case DataLayout::images: {
      const FolderSplits splits = list_image_folder(task, {data_dir});
      return {std::ssize(splits.train) + std::ssize(splits.val), std::ssize(splits.test)};
    }
    case DataLayout::drawn:
      return {size("trainval"), size("test")};
    case DataLayout::vtab1k:
      return {kVtab1k, size("test")};
    case DataLayout::tfds:
      break;
  }
  const TfdsFolder folder = open_tfds_folder(task, data_dir);
  return {rows_of(task.train, folder) + rows_of(task.val, folder), rows_of(task.test, folder)};
}

std::int64_t images_of_shots(std::string_view shots, int classes, std::int64_t all) {
  const int per_class = shots_per_class(shots);
  if (per_class > 0) return std::int64_t{per_class} * classes;
  return shots == "full" ? all : std::min(all, kVtab1k);
}

}  // namespace marquee::datasets
