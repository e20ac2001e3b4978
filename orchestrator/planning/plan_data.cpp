#include "orchestrator/planning/plan_data.h"

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/image_folder.h"
#include "datasets/shots.h"
#include "datasets/tfds_folder.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using experiments::RunConfig;

// Of the task's shards; 0 for other layouts.
std::uintmax_t stored_bytes(const datasets::TaskInfo& task, const fs::path& data) {
  if (datasets::layout_of(task, data) != datasets::DataLayout::tfds) return 0;
  const datasets::TfdsFolder folder = datasets::open_tfds_folder(task, data);
  std::uintmax_t bytes = 0;
  for (const datasets::Slice& slice : task.train) {
    const auto split = folder.splits.find(slice.split);
    if (split == folder.splits.end()) continue;
    for (const fs::path& file : split->second.files) {
      std::error_code error;
      const std::uintmax_t size = fs::file_size(file, error);
      bytes += error ? 0 : size;
    }
  }
  return bytes;
}

}  // namespace

const datasets::FolderSplits& PlanData::own_images(const datasets::TaskInfo& task) {
  const auto known = own_.find(task.name);
  if (known != own_.end()) return known->second;
  return own_.emplace(task.name, datasets::list_image_folder(task, {data_})).first->second;
}

datasets::ImageCounts PlanData::counts(const RunConfig& run) {
  const auto [all, fresh] = counts_.try_emplace(run.task);
  if (fresh) {
    try {
      all->second = datasets::count_images(datasets::find_task(run.task), data_);
    } catch (const cluster::Error&) {
      // Among what the plan calls missing.
    }
  }
  if (!all->second) return {};
  return {datasets::images_of_shots(run.shots, experiments::num_classes(run), all->second->train),
          all->second->test};
}

const std::vector<int>* PlanData::training_labels(const RunConfig& run) {
  // Labels are found by reading the data once; more than this waits until a run has indexed them.
  constexpr std::uintmax_t kMostToIndex = std::uintmax_t{4} << 30;
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  auto known = labels_.find(run.task);
  if (known == labels_.end()) {
    std::optional<std::vector<int>> labels;
    if (task.group == datasets::TaskGroup::own) {
      labels.emplace();
      for (const auto& image : own_images(task).train) labels->push_back(image.label);
    } else if (!cache_.empty() || stored_bytes(task, data_) <= kMostToIndex) {
      labels = datasets::labels_of(
          *datasets::open_dataset(task, datasets::split_for_shots(run.shots),
                                  experiments::data_folder(run, data_, cache_)));
    }
    known = labels_.emplace(run.task, std::move(labels)).first;
  }
  return known->second ? &*known->second : nullptr;
}

}  // namespace marquee::orchestrator
