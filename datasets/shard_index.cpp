#include "datasets/shard_index.h"

#include <fstream>
#include <optional>
#include <sstream>

#include <sys/stat.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/sha256.h"
#include "datasets/tfds_example.h"
#include "shard_index.pb.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kVersion = 2;  // raised when a label rule or the file's meaning changes

struct Stamp {
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;
};

Stamp stamp_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    cluster::throw_environment(file.string() +
                               ": is missing (a shard that dataset_info.json "
                               "declares)");
  return {static_cast<std::uint64_t>(info.st_size),
          std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

fs::path index_file(const TaskInfo& task, const fs::path& shard, const fs::path& cache) {
  const std::string key = task.builder + "\n" + fs::absolute(shard).lexically_normal().string();
  return cache / ("index-" + cluster::sha256_hex(key).substr(0, 32) + ".tfrecord");
}

// Tasks that are read from the same data set.
std::vector<const TaskInfo*> tasks_beside(const TaskInfo& task) {
  std::vector<const TaskInfo*> tasks;
  for (const TaskInfo& other : all_tasks())
    if (other.builder == task.builder) tasks.push_back(&other);
  return tasks;
}

ShardIndex make_index(const TaskInfo& task, const fs::path& shard) {
  const TfRecordFile file(shard);
  const std::vector<const TaskInfo*> tasks = tasks_beside(task);
  ShardIndex index;
  index.places = file.places();
  bool any_id = false;
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::vector<int> labels(tasks.size(), kNoLabel);
    std::string id;
    try {
      const TfdsExample example(file.record(i), file.where(i));
      id = example.id();
      for (std::size_t t = 0; t < tasks.size(); ++t) labels[t] = example.raw_label(*tasks[t]);
    } catch (const cluster::Error& error) {
      index.bad.push_back({i, error.what()});
    }
    any_id = any_id || !id.empty();
    index.ids.push_back(std::move(id));
    for (std::size_t t = 0; t < tasks.size(); ++t)
      index.labels[tasks[t]->name].push_back(labels[t]);
  }
  if (!any_id) index.ids.clear();
  return index;
}

std::string to_bytes(const ShardIndex& index, const fs::path& shard, const Stamp& stamp) {
  wire::ShardIndex message;
  message.set_version(kVersion);
  message.set_file(shard.filename().string());
  message.set_bytes(stamp.bytes);
  message.set_modified(stamp.modified);
  for (const RecordPlace& place : index.places) {
    message.add_offset(place.offset);
    message.add_length(place.length);
  }
  for (const auto& [task, labels] : index.labels) {
    wire::ShardIndex::Labels& values = *message.add_labels();
    values.set_task(task);
    for (const int label : labels) values.add_value(label);
  }
  for (const std::string& id : index.ids) message.add_id(id);
  for (const BadRecord& bad : index.bad) {
    message.add_bad_record(bad.record);
    message.add_bad_reason(bad.reason);
  }
  return message.SerializeAsString();
}

// Nothing when the file is not there, not whole, or made for another shard.
std::optional<ShardIndex> read_index(const TaskInfo& task, const fs::path& file,
                                     const fs::path& shard, const Stamp& stamp) {
  if (!fs::exists(file)) return std::nullopt;
  wire::ShardIndex message;
  try {
    const TfRecordFile stored(file);
    if (stored.size() != 1 || !message.ParseFromString(stored.record(0))) return std::nullopt;
  } catch (const cluster::Error& error) {
    cluster::log_warning("datasets", std::string(error.what()) + "; the index is made again");
    return std::nullopt;
  }
  const int count = message.offset_size();
  const bool fits = message.version() == kVersion && message.file() == shard.filename().string() &&
                    message.bytes() == stamp.bytes && message.modified() == stamp.modified &&
                    message.length_size() == count &&
                    (message.id_size() == count || message.id_size() == 0) &&
                    message.bad_record_size() == message.bad_reason_size();
  if (!fits) return std::nullopt;
  ShardIndex index;
  for (int i = 0; i < count; ++i) index.places.push_back({message.offset(i), message.length(i)});
  for (const wire::ShardIndex::Labels& labels : message.labels()) {
    if (labels.value_size() != count) return std::nullopt;
    index.labels[labels.task()].assign(labels.value().begin(), labels.value().end());
  }
  if (!index.labels.contains(task.name)) return std::nullopt;
  index.ids.assign(message.id().begin(), message.id().end());
  for (int i = 0; i < message.bad_record_size(); ++i) {
    if (message.bad_record(i) >= static_cast<std::uint64_t>(count)) return std::nullopt;
    index.bad.push_back({static_cast<std::size_t>(message.bad_record(i)), message.bad_reason(i)});
  }
  return index;
}

}  // namespace

ShardIndex load_shard_index(const TaskInfo& task, const fs::path& shard, const fs::path& cache) {
  const Stamp stamp = stamp_of(shard);
  const fs::path file = cache.empty() ? fs::path() : index_file(task, shard, cache);
  if (!cache.empty()) {
    if (std::optional<ShardIndex> known = read_index(task, file, shard, stamp)) return *known;
  }
  ShardIndex index = make_index(task, shard);
  if (cache.empty()) return index;
  try {
    std::ostringstream record;
    write_record(record, to_bytes(index, shard, stamp));
    cluster::create_directories_durably(cache);
    cluster::write_file_durably(file, record.str());
  } catch (const cluster::Error& error) {
    cluster::log_warning("datasets", std::string(error.what()) + "; the index is not kept");
  }
  return index;
}

}  // namespace marquee::datasets
