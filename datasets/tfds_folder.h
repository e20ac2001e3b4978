// Prepared TFDS folders: which version is read, and what its dataset_info.json declares.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/task.h"

namespace marquee::datasets {

struct TfdsSplit {
  // Examples of each shard; -1 where the file does not say (dataset_info.json of TFDS 1).
  std::vector<std::int64_t> shard_lengths;
  std::vector<std::filesystem::path> files;
  std::int64_t examples = -1;  // in all, where the file says it elsewhere too
  std::int64_t bytes = -1;     // of the records without their framing, where the file says it

  std::int64_t size() const;  // declared; 0 where nothing is
};

struct TfdsFolder {
  std::filesystem::path path;  // .../<name>[/<config>]/<version>
  std::string name;            // "eurosat"
  std::string version;         // "2.0.0"
  bool as_asked = true;        // whether VTAB names this version, or one known to hold the same
  bool named_by_vtab = true;   // whether it is VTAB's own
  std::map<std::string, TfdsSplit> splits;
};

// Finds the version below data_dir/<builder>: the newest that VTAB's pattern names, else the newest
// with the same content, else the newest there (`as_asked` is false then). Throws environment
// naming the folder looked for, or what is wrong in which file.
TfdsFolder open_tfds_folder(const TaskInfo& task, const std::filesystem::path& data_dir);

// Whether a version of the data set is there. VTAB-1k folders may have the same name as a builder.
bool has_tfds(const TaskInfo& task, const std::filesystem::path& data_dir);

// The dataset_info.json alone; `path` is the folder of the version.
TfdsFolder read_tfds_folder(const TaskInfo& task, const std::filesystem::path& path);

// Whether "2.0.1" is what "2.*.*" asks for.
bool version_matches(const std::array<int, 3>& version, const std::string& pattern);

// One name a line of <feature>.labels.txt; empty where there is no such file.
std::vector<std::string> tfds_label_names(const TfdsFolder& folder, const std::string& feature);

}  // namespace marquee::datasets
