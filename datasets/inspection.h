// What a task's data hold.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "datasets/data_folder.h"
#include "datasets/dataset.h"
#include "datasets/task.h"

namespace marquee::datasets {

struct SplitContents {
  std::size_t examples = 0;
  std::vector<std::size_t> label_histogram;    // one number a class
  std::map<std::string, std::size_t> outside;  // label (or "null") to count: the rule has no class
  bool clipped = false;                        // its slice passed the end of the stored split
  std::vector<std::string> first_keys, last_keys;  // up to 16; empty where the data set stores none
  std::uint64_t bytes = 0;                         // of the stored records or files
  std::map<std::pair<int, int>, std::size_t> image_sizes;  // height and width to count
};

struct TaskContents {
  std::string task, dataset, version;  // version: of TFDS, "vtab1k", or that of the drawn tasks
  bool as_asked = true;                // whether VTAB names the version, or it holds the same
  int num_classes = 0;
  std::vector<std::pair<std::string, SplitContents>> splits;  // those that are there
};

// Progress over all splits: done, total; (0, 0) before the total is known.
using DataProgress = std::function<void(std::size_t, std::size_t)>;

TaskContents inspect_task(const TaskInfo& task, const DataFolder& data,
                          const DataProgress& progress);
nlohmann::json to_json(const TaskContents& contents);
std::string to_text(const TaskContents& contents);

}  // namespace marquee::datasets
