// What a task's data hold, and whether all of it can be read.
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
  // Of up to 2,000 images, evenly spaced.
  std::size_t sizes_of = 0;
  std::map<std::pair<int, int>, std::size_t> image_sizes;  // height and width to count
};

struct TaskContents {
  std::string task, dataset, version;  // version: of TFDS, "vtab1k", or that of the drawn tasks
  bool as_asked = true;
  int num_classes = 0;
  std::vector<std::pair<std::string, SplitContents>> splits;  // those that are there
};

// Progress over all splits: done, total.
using DataProgress = std::function<void(std::size_t, std::size_t)>;

TaskContents inspect_task(const TaskInfo& task, const DataFolder& data,
                          const DataProgress& progress);
nlohmann::json to_json(const TaskContents& contents);
std::string to_text(const TaskContents& contents);

struct Verification {
  std::size_t examples = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> broken;  // file, record, offset and reason of each
  std::size_t unlabelled = 0;       // examples without a class under the task's rule
};

// Reads everything that the task may use: framing, checksums, examples, labels, pixels. What is
// broken is reported, not thrown. `threads`: decoders side by side.
Verification verify_task(const TaskInfo& task, const DataFolder& data, int threads,
                         const DataProgress& progress);

}  // namespace marquee::datasets
