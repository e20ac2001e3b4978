// The index of one shard: where its records lie, their labels for every task of the data set, their
// ids. Made by reading the shard once from end to end, checksums included, and kept in the cache,
// so that the 10,000th example of a set is reached without reading those before it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/task.h"
#include "datasets/tfrecord.h"

namespace marquee::datasets {

struct BadRecord {
  std::size_t record = 0;
  std::string reason;  // names file, record and offset
};

struct ShardIndex {
  std::vector<RecordPlace> places;
  std::map<std::string, std::vector<int>> labels;  // by task; raw, as TfdsExample gives them
  std::vector<std::string> ids;                    // empty: the data set stores none
  std::vector<BadRecord> bad;                      // whose label or id cannot be read
};

// From the cache when it was made for a shard of this name, size and time, else made and put there
// (written aside and renamed: two makers at once do no harm; a cache that cannot be written is
// passed over). Throws environment naming file and place where the framing is broken: what follows
// is lost.
ShardIndex load_shard_index(const TaskInfo& task, const std::filesystem::path& shard,
                            const std::filesystem::path& cache);

}  // namespace marquee::datasets
