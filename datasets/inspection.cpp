#include "datasets/inspection.h"

#include <algorithm>
#include <memory>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/text.h"
#include "datasets/image_size.h"
#include "datasets/scratch_cache.h"
#include "datasets/tfds_example.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

constexpr std::size_t kShownKeys = 16;

using ImageSizes = std::map<std::pair<int, int>, std::size_t>;

std::vector<std::string> keys_of(const Dataset& dataset, std::size_t first, std::size_t last) {
  std::vector<std::string> keys;
  for (std::size_t i = first; i < last && dataset.has_ids(); ++i) keys.push_back(dataset.id(i));
  return keys;
}

ImageSizes sizes_of(const Dataset& dataset, bool all_alike, const std::function<void()>& measured) {
  ImageSizes sizes;
  if (all_alike && dataset.size() > 0) {
    const Image image = dataset.image(0);
    sizes[{image.height, image.width}] = dataset.size();
    return sizes;
  }
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const std::string bytes = dataset.image_bytes(i);
    auto size = declared_image_size(std::as_bytes(std::span(bytes.data(), bytes.size())));
    if (!size) {
      const Image image = dataset.image(i);
      size = {image.height, image.width};
    }
    ++sizes[*size];
    measured();
  }
  return sizes;
}

SplitContents contents_of(const Dataset& dataset) {
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

std::vector<std::string> splits_there(const TaskInfo& task, const DataFolder& data) {
  if (layout_of(task, data.path) != DataLayout::vtab1k) return split_names();
  std::vector<std::string> names;
  for (const auto& list : vtab1k_lists(task, data.path)) names.push_back(list.stem().string());
  return names;
}

}  // namespace

TaskContents inspect_task(const TaskInfo& task, const DataFolder& data,
                          const DataProgress& progress) {
  TaskContents contents;
  contents.task = task.name;
  const DataSource source = source_of(task, data.path);
  contents.dataset = source.name;
  contents.version = source.version.empty() ? source.layout : source.version;
  contents.as_asked = source.as_asked;
  contents.num_classes = task.num_classes;
  const std::vector<std::string> names = splits_there(task, data);
  const bool drawn = layout_of(task, data.path) == DataLayout::drawn;
  // The shards are read once, not for every split.
  const ScratchCache scratch;
  DataFolder folder = data;
  if (folder.cache.empty()) folder.cache = scratch.path();
  std::size_t done = 0, total = 0;
  std::vector<std::unique_ptr<Dataset>> datasets;
  for (const std::string& name : names) {
    progress(0, 0);
    datasets.push_back(open_dataset(task, name, folder));
    if (name != "trainval") total += datasets.back()->size();
  }
  ImageSizes train_and_val;
  if (!datasets.empty()) contents.num_classes = datasets[0]->num_classes();  // own: found out
  for (std::size_t i = 0; i < names.size(); ++i) {
    SplitContents split = contents_of(*datasets[i]);
    split.clipped = is_clipped(names[i], split.examples);
    // These are the images of two splits that were measured.
    split.image_sizes = names[i] == "trainval"
                            ? train_and_val
                            : sizes_of(*datasets[i], drawn, [&] { progress(++done, total); });
    if (names[i] == "train" || names[i] == "val")
      for (const auto& [size, count] : split.image_sizes) train_and_val[size] += count;
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
    splits[name] = {{"examples", split.examples},     {"label_histogram", split.label_histogram},
                    {"outside", split.outside},       {"clipped", split.clipped},
                    {"first_keys", split.first_keys}, {"last_keys", split.last_keys},
                    {"image_sizes", sizes},           {"bytes", split.bytes}};
  }
  return {{"task", contents.task},
          {"dataset", contents.dataset},
          {"version", contents.version},
          {"splits", splits},
          {"num_classes", contents.num_classes}};
}

std::string to_text(const TaskContents& contents) {
  std::string text = fmt::format("{}: {} {}, {} classes{}\n", contents.task, contents.dataset,
                                 contents.version, contents.num_classes,
                                 contents.as_asked ? "" : " (not the version VTAB asks for)");
  text += fmt::format("{:<16} {:>9} {:>8} {:>8} {:>12}  {:<21} {}\n", "split", "examples",
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
    text += fmt::format("{:<16} {:>9} {:>8} {:>8} {:>12}  {:<21} {}{}\n", name, split.examples,
                        present, outside, split.bytes, sizes,
                        split.first_keys.empty() ? "-" : cluster::printable(split.first_keys[0]),
                        split.clipped ? "  clipped" : "");
  }
  const bool any_clipped = std::any_of(contents.splits.begin(), contents.splits.end(),
                                       [](const auto& split) { return split.second.clipped; });
  if (any_clipped) text += "clipped: fewer examples are stored than the split asks for\n";
  return text;
}

}  // namespace marquee::datasets
