#include "datasets/dataset.h"

#include <algorithm>
#include <numeric>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "datasets/drawn.h"
#include "datasets/image_folder.h"
#include "datasets/tfds.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

std::vector<Slice> joined(std::vector<Slice> first, const std::vector<Slice>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// The first `count` rows of a split that is one slice.
std::vector<Slice> head(const std::vector<Slice>& slices, std::int64_t count) {
  std::vector<Slice> result = slices;
  MARQUEE_CHECK(result.size() == 1, "head of a split of several slices");
  result[0].count = count;
  return result;
}

}  // namespace

const std::vector<std::string>& split_names() {
  static const std::vector<std::string> names{"train",    "val",    "trainval",      "test",
                                              "train800", "val200", "train800val200"};
  return names;
}

std::unique_ptr<Dataset> open_dataset(const TaskInfo& task, std::string_view split,
                                      const DataFolder& data) {
  const auto& names = split_names();
  if (std::find(names.begin(), names.end(), split) == names.end()) {
    cluster::throw_usage("unknown split '" + std::string(split) + "'" +
                         cluster::did_you_mean(split, names) + "; expected one of " +
                         cluster::join(names));
  }
  if (task.group == TaskGroup::drawn) return open_drawn(task, split);
  if (task.group == TaskGroup::own) return open_image_folder(task, split, data);
  if (layout_of(task, data.path) == DataLayout::vtab1k) return open_vtab1k(task, split, data);
  std::vector<Slice> slices;
  if (split == "train") slices = task.train;
  if (split == "val") slices = task.val;
  if (split == "trainval") slices = joined(task.train, task.val);
  if (split == "test") slices = task.test;
  if (split == "train800") slices = head(task.train, 800);
  if (split == "val200") slices = head(task.val, 200);
  if (split == "train800val200") slices = joined(head(task.train, 800), head(task.val, 200));
  return open_tfds(task, slices, data, /*join_neighbours=*/split == "trainval");
}

std::vector<std::size_t> Dataset::iteration_order() const {
  std::vector<std::size_t> order(size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

DataLayout layout_of(const TaskInfo& task, const std::filesystem::path& data_dir) {
  if (task.group == TaskGroup::drawn) return DataLayout::drawn;
  if (task.group == TaskGroup::own) return DataLayout::images;
  // The folders of both may have the same name ("kitti"): what is in it decides.
  const bool vtab1k = !has_tfds(task, data_dir) && has_vtab1k(task, data_dir);
  return vtab1k ? DataLayout::vtab1k : DataLayout::tfds;
}

bool has_data(const TaskInfo& task, const std::filesystem::path& data_dir) {
  if (task.group == TaskGroup::own) return !find_image_folder(task, data_dir).empty();
  return task.group != TaskGroup::drawn &&
         (std::filesystem::is_directory(data_dir / task.builder) || has_vtab1k(task, data_dir));
}

std::string largest_train_split(const TaskInfo& task, const std::filesystem::path& data_dir) {
  return layout_of(task, data_dir) == DataLayout::vtab1k ? "train800val200" : "train";
}

DataSource source_of(const TaskInfo& task, const std::filesystem::path& data_dir) {
  switch (layout_of(task, data_dir)) {
    case DataLayout::drawn:
      return {"drawn", task.name, std::to_string(kDrawnVersion)};
    case DataLayout::vtab1k:
      return {"vtab1k", task.vtab1k_folder, ""};
    case DataLayout::images:
      return {"images", task.name.substr(task.name.find('/') + 1), ""};
    case DataLayout::tfds:
      break;
  }
  const TfdsFolder folder = open_tfds_folder(task, data_dir);
  return {"tfds", task.builder, folder.version, folder.as_asked};
}

std::vector<int> labels_of(const Dataset& dataset) {
  std::vector<int> labels(dataset.size());
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = dataset.label(i);
  return labels;
}

std::vector<std::string> class_names(const TaskInfo& task, const DataFolder& data) {
  switch (layout_of(task, data.path)) {
    case DataLayout::images:
      return list_image_folder(task, data).classes;
    case DataLayout::tfds:
      if (task.rule != LabelRule::plain) return {};
      return tfds_label_names(open_tfds_folder(task, data.path), task.label_key);
    case DataLayout::drawn:
    case DataLayout::vtab1k:
      return {};
  }
  return {};
}

}  // namespace marquee::datasets
