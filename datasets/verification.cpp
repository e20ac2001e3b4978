#include "datasets/verification.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/image_folder.h"
#include "datasets/scratch_cache.h"
#include "datasets/tfds_example.h"
#include "datasets/tfds_features.h"
#include "datasets/tfds_folder.h"
#include "datasets/tfrecord_salvage.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

// Without what the message says about the place, which is told beside it.
std::string reason_of(const cluster::Error& error, const std::string& place) {
  std::string_view text = error.what();
  if (text.starts_with(place)) text.remove_prefix(place.size());
  while (text.starts_with(": ")) text.remove_prefix(2);
  return std::string(text);
}

// Calls work(i) for every i below `count` on `threads` threads; progress is reported by this one.
void for_all(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
             const std::function<void(std::size_t)>& progress) {
  std::atomic<std::size_t> next{0}, done{0};
  const auto run = [&](bool reports) {
    constexpr std::size_t kReportEvery = 64;
    std::size_t told = 0;
    for (std::size_t i = next++; i < count; i = next++) {
      work(i);
      const std::size_t finished = ++done;
      if (!reports || finished - told < kReportEvery) continue;
      told = finished;
      progress(finished);
    }
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run, false);
  run(true);
  others.clear();
  progress(count);
}

class Verifier {
 public:
  Verifier(const TaskInfo& task, const DataFolder& data, int threads, const DataProgress& progress)
      : task_(task), data_(data), threads_(threads), progress_(progress) {}

  Verification tfds() {
    std::optional<TfdsFolder> folder;
    try {
      folder = open_tfds_folder(task_, data_.path);
    } catch (const cluster::Error& error) {
      if (!fs::is_directory(data_.path / task_.builder)) throw;  // not there at all
      report((data_.path / task_.builder).string(), error);
      return result_;
    }
    const std::string info = (folder->path / "dataset_info.json").string();
    try {
      check_tfds_features(task_, folder->path);
    } catch (const cluster::Error& error) {
      report((folder->path / "features.json").string(), error);
    }
    const std::set<std::string> names = stored_splits(task_);
    for (const std::string& name : names) {
      const auto split = folder->splits.find(name);
      if (split != folder->splits.end())
        total_ += static_cast<std::size_t>(split->second.size());
      else
        result_.broken.push_back({info, {}, {}, "has no split '" + name + "'"});
    }
    for (const std::string& name : names) {
      const auto split = folder->splits.find(name);
      if (split != folder->splits.end()) verify_split(split->second, info, name);
    }
    return result_;
  }

  // VTAB-1k folders, folders of images and drawn tasks: what open_dataset() gives.
  Verification splits() {
    const bool vtab1k = layout_of(task_, data_.path) == DataLayout::vtab1k;
    // Those of the drawn tasks that the others are parts of.
    std::vector<std::string> names{"train", "val", "test"};
    if (vtab1k) {
      names.clear();
      for (const fs::path& list : vtab1k_lists(task_, data_.path))
        names.push_back(list.stem().string());
    }
    // Archives are unpacked once.
    const ScratchCache scratch;
    DataFolder folder = data_;
    if (folder.cache.empty()) folder.cache = scratch.path();
    std::vector<std::unique_ptr<Dataset>> datasets;
    for (const std::string& name : names) {
      try {
        datasets.push_back(open_dataset(task_, name, folder));
        total_ += datasets.back()->size();
      } catch (const cluster::Error& error) {
        const fs::path list = data_.path / task_.vtab1k_folder / (name + ".txt");
        report(vtab1k ? list.string() : task_.name, error);
      }
    }
    for (const auto& dataset : datasets) {
      std::atomic<std::uint64_t> bytes{0};
      const auto check = [&](std::size_t i) {
        try {
          dataset->image(i);
          bytes += dataset->stored_bytes(i);
        } catch (const cluster::Error& error) {
          const std::string file = file_of(*dataset, i);
          add(i, {file, {}, {}, reason_of(error, file)});
        }
      };
      read(dataset->size(), check);
      result_.bytes += bytes;
    }
    return result_;
  }

 private:
  void report(const std::string& file, const cluster::Error& error) {
    result_.broken.push_back({file, {}, {}, reason_of(error, file)});
  }
  // The image's file, or the task where images are no files of their own.
  std::string file_of(const Dataset& dataset, std::size_t i) const {
    switch (layout_of(task_, data_.path)) {
      case DataLayout::vtab1k:
        return (data_.path / task_.vtab1k_folder / dataset.id(i)).string();
      case DataLayout::images:
        return (find_image_folder(task_, data_.path) / dataset.id(i)).string();
      case DataLayout::tfds:
      case DataLayout::drawn:
        break;
    }
    return task_.name + " " + dataset.id(i);
  }
  void add(std::size_t place, Broken broken) {
    const std::lock_guard lock(mutex_);
    found_.emplace_back(place, std::move(broken));
  }

  // What check(i) adds stands in the result in the order of the records afterwards.
  void read(std::size_t count, const std::function<void(std::size_t)>& check) {
    for_all(count, threads_, check, [&](std::size_t done) {
      progress_(result_.examples + done, std::max(total_, result_.examples + done));
    });
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [place, broken] : found_) result_.broken.push_back(std::move(broken));
    found_.clear();
    result_.examples += count;
  }

  void verify_split(const TfdsSplit& split, const std::string& info, const std::string& name) {
    const std::size_t before = result_.examples;
    bool all_read = true;
    for (std::size_t i = 0; i < split.files.size(); ++i) {
      try {
        verify_shard(split.files[i], split.shard_lengths[i]);
      } catch (const cluster::Error& error) {
        report(split.files[i].string(), error);
        all_read = false;
      }
    }
    // TFDS 1 declared the whole only.
    const bool counted = split.shard_lengths.empty() || split.shard_lengths.front() >= 0;
    const std::size_t records = result_.examples - before;
    if (!counted && all_read && split.examples >= 0 &&
        records != static_cast<std::size_t>(split.examples)) {
      result_.broken.push_back({info,
                                {},
                                {},
                                "split '" + name + "' declares " + std::to_string(split.examples) +
                                    " examples, its shards hold " + std::to_string(records)});
    }
  }

  void verify_shard(const fs::path& file, std::int64_t declared) {
    if (!fs::exists(file)) cluster::throw_environment("is missing, dataset_info.json declares it");
    const SalvagedRecords found = salvage_records(file);
    for (const BrokenFraming& each : found.broken)
      add(each.record, {file.string(), each.record, each.offset, each.reason});
    const std::size_t records = found.places.size();
    if (declared >= 0 && records != static_cast<std::size_t>(declared)) {
      add(records, {file.string(),
                    {},
                    {},
                    "holds " + std::to_string(records) + " records, dataset_info.json declares " +
                        std::to_string(declared)});
    }
    const TfRecordFile shard(file, found.places);
    result_.bytes += shard.bytes();
    std::atomic<std::size_t> unlabelled{0};
    const auto check = [&](std::size_t i) {
      try {
        const TfdsExample example(shard.record(i), shard.where(i));
        const int label = example.raw_label(task_);
        if (label < 0 || label >= task_.num_classes) ++unlabelled;
        example.image(task_, {});
      } catch (const cluster::Error& error) {
        add(i, {file.string(), i, found.places[i].offset, reason_of(error, shard.where(i))});
      }
    };
    read(records, check);
    result_.unlabelled += unlabelled;
  }

  const TaskInfo& task_;
  const DataFolder& data_;
  int threads_;
  const DataProgress& progress_;
  std::size_t total_ = 0;
  Verification result_;
  std::mutex mutex_;
  std::vector<std::pair<std::size_t, Broken>> found_;  // under mutex_
};

}  // namespace

std::string to_text(const Broken& broken) {
  std::string text = broken.file;
  if (broken.record) text += ": record " + std::to_string(*broken.record);
  if (broken.offset) text += " at byte " + std::to_string(*broken.offset);
  return text + ": " + broken.reason;
}

nlohmann::json to_json(const Broken& broken) {
  nlohmann::json result{
      {"file", broken.file}, {"record", nullptr}, {"offset", nullptr}, {"reason", broken.reason}};
  if (broken.record) result["record"] = *broken.record;
  if (broken.offset) result["offset"] = *broken.offset;
  return result;
}

Verification verify_task(const TaskInfo& task, const DataFolder& data, int threads,
                         const DataProgress& progress) {
  Verifier verifier(task, data, threads, progress);
  return layout_of(task, data.path) == DataLayout::tfds ? verifier.tfds() : verifier.splits();
}

}  // namespace marquee::datasets
