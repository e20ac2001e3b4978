#include "datasets/tfds.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "cluster/error.h"
#include "cluster/log.h"
#include "datasets/shard_index.h"
#include "datasets/tfds_example.h"
#include "datasets/tfds_features.h"

namespace marquee::datasets {
namespace {

// The shards of one stored split, opened with their indexes.
class OpenSplit {
 public:
  OpenSplit(const TaskInfo& task, const TfdsFolder& folder, const std::string& name,
            const std::filesystem::path& cache) {
    const auto found = folder.splits.find(name);
    if (found == folder.splits.end()) {
      cluster::throw_environment((folder.path / "dataset_info.json").string() + ": has no split '" +
                                 name + "', which task '" + task.name + "' needs");
    }
    const TfdsSplit& split = found->second;
    for (std::size_t shard = 0; shard < split.files.size(); ++shard) {
      const std::filesystem::path& file = split.files[shard];
      ShardIndex index = load_shard_index(task, file, cache);
      const auto count = static_cast<std::int64_t>(index.places.size());
      const std::int64_t declared = split.shard_lengths[shard];
      if (declared >= 0 && count != declared) {
        cluster::throw_environment(file.string() + ": holds " + std::to_string(count) +
                                   " records, dataset_info.json declares " +
                                   std::to_string(declared) + " (short shard?)");
      }
      size_ += count;
      files_.push_back(std::make_shared<TfRecordFile>(file, std::move(index.places)));
      indexes_.push_back(std::move(index));
    }
    const bool counted = split.shard_lengths.empty() || split.shard_lengths.front() >= 0;
    if (!counted && split.examples >= 0 && split.examples != size_) {
      cluster::throw_environment((folder.path / "dataset_info.json").string() + ": split '" + name +
                                 "' declares " + std::to_string(split.examples) +
                                 " examples, its shards hold " + std::to_string(size_));
    }
  }

  std::int64_t size() const { return size_; }
  const std::vector<std::shared_ptr<TfRecordFile>>& files() const { return files_; }
  // Without places: the files hold them.
  const std::vector<ShardIndex>& indexes() const { return indexes_; }

 private:
  std::int64_t size_ = 0;
  std::vector<std::shared_ptr<TfRecordFile>> files_;
  std::vector<ShardIndex> indexes_;
};

// Up to 16 pieces take turns of 16 rows; one that ends gives its place to the next piece when its
// turn comes again.
std::vector<std::size_t> interleaved(const std::vector<std::size_t>& pieces, std::size_t rows) {
  constexpr std::size_t kCycle = 16, kBlock = 16;
  struct Place {
    std::size_t next = 0, end = 0;
  };
  std::vector<Place> places(kCycle);
  std::vector<std::size_t> order;
  order.reserve(rows);
  std::size_t waiting = 0;
  for (std::size_t turn = 0; order.size() < rows; turn = (turn + 1) % kCycle) {
    Place& place = places[turn];
    if (place.next == place.end && waiting < pieces.size()) {
      place.next = pieces[waiting];
      place.end = ++waiting < pieces.size() ? pieces[waiting] : rows;
    }
    for (std::size_t i = 0; i < kBlock && place.next < place.end; ++i)
      order.push_back(place.next++);
  }
  return order;
}

class TfdsDataset : public Dataset {
 public:
  TfdsDataset(TaskInfo task, const DataFolder& data)
      : task_(std::move(task)),
        options_(decode_options(data)),
        skips_(data.bad_records == BadRecords::skip) {}

  // Appends rows [from, to) of the split.
  void append(const OpenSplit& split, std::int64_t from, std::int64_t to, bool join_neighbours) {
    std::int64_t first = 0;
    for (std::size_t shard = 0; shard < split.files().size(); ++shard) {
      const ShardIndex& index = split.indexes()[shard];
      const auto length = static_cast<std::int64_t>(split.files()[shard]->size());
      const std::int64_t begin = std::max(from - first, std::int64_t{0}),
                         end = std::min(to - first, length);
      first += length;
      if (begin >= end) continue;
      std::set<std::int64_t> left_out;
      for (const BadRecord& bad : index.bad) {
        const auto record = static_cast<std::int64_t>(bad.record);
        if (record < begin || record >= end) continue;
        if (!skips_) cluster::throw_environment(bad.reason);
        cluster::log_warning("datasets", bad.reason + "; skipped");
        skipped_.push_back(bad.reason);
        left_out.insert(record);
      }
      const std::shared_ptr<TfRecordFile>& file = split.files()[shard];
      const bool goes_on = join_neighbours && !rows_.empty() && files_.back() == file &&
                           rows_.back().record + 1 == begin;
      if (!goes_on) {
        pieces_.push_back(rows_.size());
        files_.push_back(file);
      }
      const std::vector<int>& labels = index.labels.at(task_.name);
      for (std::int64_t i = begin; i < end; ++i) {
        if (left_out.contains(i)) continue;
        const auto record = static_cast<std::size_t>(i);
        rows_.push_back({static_cast<std::uint32_t>(files_.size() - 1),
                         static_cast<std::uint32_t>(record), labels[record]});
        if (!index.ids.empty()) ids_.push_back(index.ids[record]);
      }
    }
  }

  std::size_t size() const override { return rows_.size(); }
  int num_classes() const override { return task_.num_classes; }
  int label(std::size_t index) const override {
    const int raw = rows_.at(index).raw_label;
    return raw >= 0 && raw < task_.num_classes ? raw : -1;
  }
  int raw_label(std::size_t index) const override { return rows_.at(index).raw_label; }
  std::string id(std::size_t index) const override {
    if (ids_.size() == rows_.size()) return ids_.at(index);
    return std::to_string(index);
  }
  std::vector<std::size_t> iteration_order() const override {
    return interleaved(pieces_, rows_.size());
  }
  bool has_ids() const override { return ids_.size() == rows_.size() && !rows_.empty(); }
  Image image(std::size_t index) const override { return example(index).image(task_, options_); }
  std::vector<std::string> skipped() const override { return skipped_; }
  std::string image_bytes(std::size_t index) const override {
    return example(index).image_bytes(task_);
  }
  std::uint64_t stored_bytes(std::size_t index) const override {
    const Row& row = rows_.at(index);
    return files_[row.file]->places()[row.record].length;
  }

 private:
  TfdsExample example(std::size_t index) const {
    const Row& row = rows_.at(index);
    const TfRecordFile& file = *files_[row.file];
    return {file.record(row.record), file.where(row.record)};
  }

  struct Row {
    std::uint32_t file, record;
    int raw_label;
  };

  TaskInfo task_;
  DecodeOptions options_;
  bool skips_;
  std::vector<std::shared_ptr<TfRecordFile>> files_;
  std::vector<std::size_t> pieces_;  // first row of each
  std::vector<Row> rows_;
  std::vector<std::string> ids_;  // of all rows, or none
  std::vector<std::string> skipped_;
};

}  // namespace

std::unique_ptr<Dataset> open_tfds(const TaskInfo& task, const std::vector<Slice>& slices,
                                   const DataFolder& data, bool join_neighbours) {
  const TfdsFolder folder = open_tfds_folder(task, data.path);
  if (!folder.as_asked) {
    cluster::log_warning("datasets", task.name + ": version " + folder.version +
                                         " is read, VTAB asks for " + task.version);
  }
  check_tfds_features(task, folder.path);
  auto dataset = std::make_unique<TfdsDataset>(task, data);
  std::map<std::string, OpenSplit> opened;
  for (const Slice& slice : slices) {
    const auto split = opened.try_emplace(slice.split, task, folder, slice.split, data.cache).first;
    const auto [from, to] = slice.rows_of(split->second.size());
    dataset->append(split->second, from, to, join_neighbours);
  }
  return dataset;
}

}  // namespace marquee::datasets
