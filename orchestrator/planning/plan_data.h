// What a plan asks of the data: how many images runs use, and the labels that few-shot sets are
// drawn from. Every task is looked at once.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/folder_splits.h"
#include "datasets/image_counts.h"
#include "datasets/task.h"
#include "experiments/run_config.h"

namespace marquee::orchestrator {

class PlanData {
 public:
  // `cache`: of indexes, read and added to; empty: none.
  PlanData(std::filesystem::path data, std::filesystem::path cache)
      : data_(std::move(data)), cache_(std::move(cache)) {}

  // Zeros where the data are missing.
  datasets::ImageCounts counts(const experiments::RunConfig& run);

  // Of the split that few-shot sets are drawn from. nullptr: nothing is indexed, and reading the
  // data would take too long. Throws as datasets::open_dataset does.
  const std::vector<int>* training_labels(const experiments::RunConfig& run);

 private:
  const datasets::FolderSplits& own_images(const datasets::TaskInfo& task);

  std::filesystem::path data_, cache_;
  std::map<std::string, std::optional<datasets::ImageCounts>> counts_;  // absent: missing
  std::map<std::string, std::optional<std::vector<int>>> labels_;       // absent: too large
  std::map<std::string, datasets::FolderSplits> own_;
};

}  // namespace marquee::orchestrator
