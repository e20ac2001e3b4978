#include "datasets/inspection.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/text.h"
#include "datasets/decode.h"
#include "datasets/drawn.h"
#include "datasets/tfds_example.h"
#include "datasets/tfds_folder.h"
#include "datasets/tfrecord.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

constexpr std::size_t kShownKeys = 16;
constexpr std::size_t kMeasuredImages = 2000;

std::vector<std::string> keys_of(const Dataset& dataset, std::size_t first, std::size_t last) {
  std::vector<std::string> keys;
  for (std::size_t i = first; i < last && dataset.has_ids(); ++i) keys.push_back(dataset.id(i));
  return keys;
}

SplitContents contents_of(const Dataset& dataset, const std::function<void()>& measured) {
  SplitContents contents;
  contents.examples = dataset.size();
  contents.label_histogram.assign(static_cast<std::size_t>(dataset.num_classes()), 0);
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const int label = dataset.label(i), raw = dataset.raw_label(i);
    contents.bytes += dataset.stored_bytes(i);
    if (label >= 0) {
      ++contents.label_histogram[static_cast<std::size_t>(label)];
    } else {
      ++contents.outside[raw == kNoLabel ? "null" : std::to_string(raw)];
    }
  }
  const std::size_t size = dataset.size();
  contents.first_keys = keys_of(dataset, 0, std::min(size, kShownKeys));
  contents.last_keys = keys_of(dataset, size - std::min(size, kShownKeys), size);
  contents.sizes_of = std::min(size, kMeasuredImages);
  for (std::size_t i = 0; i < contents.sizes_of; ++i) {
    const Image image = dataset.image(i * size / contents.sizes_of);
    ++contents.image_sizes[{image.height, image.width}];
    measured();
  }
  return contents;
}

// Whether TFDS would refuse the split: a counted slice that passes the end of what is stored, or
// nothing at all.
bool is_clipped(std::string_view split, std::size_t examples) {
  const auto wanted = [&]() -> std::size_t {
    if (split == "train800") return 800;
    if (split == "val200") return 200;
    return split == "train800val200" ? 1000 : 1;
  }();
  return examples < wanted;
}

std::string version_of(const TaskInfo& task, const DataFolder& data, bool& as_asked) {
  switch (layout_of(task, data.path)) {
    case DataLayout::drawn:
      return std::to_string(kDrawnVersion);
    case DataLayout::vtab1k:
      return "vtab1k";
    case DataLayout::tfds:
      break;
  }
  const TfdsFolder folder = open_tfds_folder(task, data.path);
  as_asked = folder.as_asked;
  return folder.version;
}

std::vector<std::string> splits_there(const TaskInfo& task, const DataFolder& data) {
  if (layout_of(task, data.path) != DataLayout::vtab1k) return split_names();
  std::vector<std::string> names;
  for (const auto& list : vtab1k_lists(task, data.path)) names.push_back(list.stem().string());
  return names;
}

// Reports in the order of the records, whichever thread found them.
class Findings {
 public:
  void add(std::size_t place, std::string reason) {
    const std::lock_guard lock(mutex_);
    found_.emplace_back(place, std::move(reason));
  }
  std::vector<std::string> sorted() {
    std::sort(found_.begin(), found_.end());
    std::vector<std::string> reasons;
    for (auto& [place, reason] : found_) reasons.push_back(std::move(reason));
    return reasons;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::size_t, std::string>> found_;
};

// Calls work(i) for every i below `count` on `threads` threads; progress is reported by this one.
void for_all(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
             const std::function<void(std::size_t)>& progress) {
  std::atomic<std::size_t> next{0}, done{0};
  const auto run = [&](bool reports) {
    constexpr std::size_t kReportEvery = 256;
    for (std::size_t i = next++; i < count; i = next++) {
      work(i);
      const std::size_t finished = ++done;
      if (reports && finished % kReportEvery < static_cast<std::size_t>(threads))
        progress(finished);
    }
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run, false);
  run(true);
  others.clear();
  progress(count);
}

// Every record of every shard that the task's slices come from.
Verification verify_tfds(const TaskInfo& task, const DataFolder& data, int threads,
                         const DataProgress& progress) {
  const TfdsFolder folder = open_tfds_folder(task, data.path);
  std::set<std::string> names;
  for (const auto* slices : {&task.train, &task.val, &task.test})
    for (const Slice& slice : *slices) names.insert(slice.split);
  std::vector<std::pair<std::filesystem::path, std::int64_t>> shards;
  std::size_t total = 0;
  Verification result;
  for (const std::string& name : names) {
    const auto split = folder.splits.find(name);
    if (split == folder.splits.end()) {
      result.broken.push_back((folder.path / "dataset_info.json").string() + ": has no split '" +
                              name + "'");
      continue;
    }
    total += static_cast<std::size_t>(split->second.size());
    for (std::size_t i = 0; i < split->second.files.size(); ++i)
      shards.emplace_back(split->second.files[i], split->second.shard_lengths[i]);
  }
  std::size_t before = 0;
  for (const auto& [file, declared] : shards) {
    Findings findings;
    std::size_t records = 0;
    try {
      const TfRecordFile shard(file);
      records = shard.size();
      result.bytes += shard.bytes();
      if (declared >= 0 && records != static_cast<std::size_t>(declared)) {
        findings.add(records, file.string() + ": holds " + std::to_string(records) +
                                  " records, dataset_info.json declares " +
                                  std::to_string(declared));
      }
      std::atomic<std::size_t> unlabelled{0};
      const auto check = [&](std::size_t i) {
        try {
          const TfdsExample example(shard.record(i), shard.where(i));
          const int label = example.raw_label(task);
          if (label < 0 || label >= task.num_classes) ++unlabelled;
          example.image(task, {});
        } catch (const cluster::Error& error) {
          findings.add(i, error.what());
        }
      };
      for_all(records, threads, check,
              [&](std::size_t done) { progress(before + done, std::max(total, before + done)); });
      result.unlabelled += unlabelled;
    } catch (const cluster::Error& error) {
      findings.add(records, error.what());
    }
    before += records;
    for (std::string& reason : findings.sorted()) result.broken.push_back(std::move(reason));
  }
  result.examples = before;
  return result;
}

Verification verify_splits(const TaskInfo& task, const DataFolder& data, int threads,
                           const DataProgress& progress) {
  Verification result;
  for (const std::string& split : splits_there(task, data)) {
    // The drawn tasks' other splits are parts of these; a VTAB-1k folder has a file for each.
    const bool vtab1k = layout_of(task, data.path) == DataLayout::vtab1k;
    if (!vtab1k && split != "train" && split != "val" && split != "test") continue;
    Findings findings;
    try {
      const auto dataset = open_dataset(task, split, data);
      std::atomic<std::uint64_t> bytes{0};
      const auto check = [&](std::size_t i) {
        try {
          dataset->image(i);
          bytes += dataset->stored_bytes(i);
        } catch (const cluster::Error& error) {
          findings.add(i, error.what());
        }
      };
      for_all(dataset->size(), threads, check, [&](std::size_t done) {
        progress(result.examples + done, result.examples + dataset->size());
      });
      result.examples += dataset->size();
      result.bytes += bytes;
    } catch (const cluster::Error& error) {
      findings.add(0, error.what());
    }
    for (std::string& reason : findings.sorted()) result.broken.push_back(std::move(reason));
  }
  return result;
}

}  // namespace

TaskContents inspect_task(const TaskInfo& task, const DataFolder& data,
                          const DataProgress& progress) {
  TaskContents contents;
  contents.task = task.name;
  contents.dataset = task.builder.empty() ? task.name : task.builder;
  contents.version = version_of(task, data, contents.as_asked);
  contents.num_classes = task.num_classes;
  const std::vector<std::string> names = splits_there(task, data);
  std::size_t done = 0, total = 0;
  std::vector<std::unique_ptr<Dataset>> datasets;
  for (const std::string& name : names) {
    datasets.push_back(open_dataset(task, name, data));
    total += std::min(datasets.back()->size(), kMeasuredImages);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    SplitContents split = contents_of(*datasets[i], [&] { progress(++done, total); });
    split.clipped = is_clipped(names[i], split.examples);
    contents.splits.emplace_back(names[i], std::move(split));
  }
  return contents;
}

nlohmann::json to_json(const TaskContents& contents) {
  nlohmann::json splits = nlohmann::json::object();
  for (const auto& [name, split] : contents.splits) {
    nlohmann::json sizes = nlohmann::json::object();
    for (const auto& [size, count] : split.image_sizes)
      sizes[fmt::format("{}x{}", size.first, size.second)] = count;
    splits[name] = {{"examples", split.examples},
                    {"label_histogram", split.label_histogram},
                    {"outside", split.outside},
                    {"clipped", split.clipped},
                    {"first_keys", split.first_keys},
                    {"last_keys", split.last_keys},
                    {"image_sizes", sizes},
                    {"image_sizes_of", split.sizes_of},
                    {"bytes", split.bytes}};
  }
  return {{"task", contents.task},
          {"dataset", contents.dataset},
          {"version", contents.version},
          {"version_as_vtab_asks", contents.as_asked},
          {"splits", splits},
          {"num_classes", contents.num_classes}};
}

std::string to_text(const TaskContents& contents) {
  std::string text = fmt::format("{}: {} {}, {} classes\n", contents.task, contents.dataset,
                                 contents.version, contents.num_classes);
  text += fmt::format("{:<16} {:>9} {:>8} {:>8} {:>12}  {:<18} {}\n", "split", "examples",
                      "classes", "outside", "bytes", "images, h x w", "first key");
  for (const auto& [name, split] : contents.splits) {
    const auto present = std::count_if(split.label_histogram.begin(), split.label_histogram.end(),
                                       [](std::size_t count) { return count > 0; });
    std::size_t outside = 0;
    for (const auto& [label, count] : split.outside) outside += count;
    std::string sizes = "-";
    if (!split.image_sizes.empty()) {
      const auto common =
          std::max_element(split.image_sizes.begin(), split.image_sizes.end(),
                           [](const auto& a, const auto& b) { return a.second < b.second; });
      sizes = fmt::format("{} x {}", common->first.first, common->first.second);
      if (split.image_sizes.size() > 1)
        sizes += fmt::format(" + {} more", split.image_sizes.size() - 1);
    }
    text += fmt::format("{:<16} {:>9} {:>8} {:>8} {:>12}  {:<18} {}{}\n", name, split.examples,
                        present, outside, split.bytes, sizes,
                        split.first_keys.empty() ? "-" : cluster::printable(split.first_keys[0]),
                        split.clipped ? "  (clipped: fewer are stored)" : "");
  }
  return text;
}

Verification verify_task(const TaskInfo& task, const DataFolder& data, int threads,
                         const DataProgress& progress) {
  if (layout_of(task, data.path) == DataLayout::tfds)
    return verify_tfds(task, data, threads, progress);
  return verify_splits(task, data, threads, progress);
}

}  // namespace marquee::datasets
