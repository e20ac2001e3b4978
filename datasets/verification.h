// Whether all of a task's data can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "datasets/data_folder.h"
#include "datasets/inspection.h"
#include "datasets/task.h"

namespace marquee::datasets {

struct Broken {
  std::string file;
  // Of a record; absent where a whole file is concerned. Records behind a place where the framing
  // is broken are counted as found.
  std::optional<std::size_t> record;
  std::optional<std::uint64_t> offset;
  std::string reason;
};

// "file: record 3 at byte 477: checksum of its data is wrong".
std::string to_text(const Broken& broken);
nlohmann::json to_json(const Broken& broken);

struct Verification {
  std::size_t examples = 0;  // read, broken ones among them
  std::uint64_t bytes = 0;
  std::vector<Broken> broken;  // in the order of files and records
  std::size_t unlabelled = 0;  // examples without a class under the task's rule
};

// Reads everything that the task may use: framing, checksums, examples, labels, pixels. What is
// broken is reported, not thrown, and the rest is read. `threads`: decoders side by side.
Verification verify_task(const TaskInfo& task, const DataFolder& data, int threads,
                         const DataProgress& progress);

}  // namespace marquee::datasets
