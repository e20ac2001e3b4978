#include "datasets/vtab1k.h"

#include <algorithm>
#include <charconv>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "datasets/file_dataset.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSplits[] = {"train800", "val200", "train800val200", "test"};

fs::path list_of(const TaskInfo& task, std::string_view split, const fs::path& data_dir) {
  return data_dir / task.vtab1k_folder / (std::string(split) + ".txt");
}

// A relative path that stays below its folder.
bool stays_below(const fs::path& path) {
  return path.is_relative() && !path.empty() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

}  // namespace

bool has_vtab1k(const TaskInfo& task, const fs::path& data_dir) {
  return !vtab1k_lists(task, data_dir).empty();
}

std::vector<fs::path> vtab1k_lists(const TaskInfo& task, const fs::path& data_dir) {
  std::vector<fs::path> lists;
  if (task.vtab1k_folder.empty()) return lists;
  for (const std::string_view split : kSplits) {
    fs::path list = list_of(task, split, data_dir);
    if (fs::is_regular_file(list)) lists.push_back(std::move(list));
  }
  return lists;
}

std::unique_ptr<Dataset> open_vtab1k(const TaskInfo& task, std::string_view split,
                                     const DataFolder& data) {
  const fs::path& data_dir = data.path;
  if (std::find(std::begin(kSplits), std::end(kSplits), split) == std::end(kSplits)) {
    cluster::throw_usage("task '" + task.name + "': " + (data_dir / task.vtab1k_folder).string() +
                         " is a VTAB-1k folder and has no split '" + std::string(split) +
                         "'; it has train800, val200, train800val200 and test (shots: vtab1k), a "
                         "TFDS folder has all");
  }
  constexpr std::uintmax_t kMaxListBytes = std::uintmax_t{64} << 20;
  const fs::path list = list_of(task, split, data_dir), folder = data_dir / task.vtab1k_folder;
  const std::string text = cluster::read_file(list, kMaxListBytes);
  std::vector<ImageFile> files;
  std::size_t line_number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++line_number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t space = line.rfind(' ');
    int label = -1;
    const std::string_view digits =
        space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), label);
    const bool whole = error == std::errc{} && stop == digits.data() + digits.size();
    const fs::path path(line.substr(0, std::min(space, line.size())));
    if (!whole || label < 0 || label >= task.num_classes || !stays_below(path)) {
      cluster::throw_environment(list.string() + ":" + std::to_string(line_number) + ": '" +
                                 std::string(line.substr(0, 200)) +
                                 "' is no path below the folder and a label from 0 to " +
                                 std::to_string(task.num_classes - 1));
    }
    files.push_back({folder / path, path.string(), label});
  }
  return std::make_unique<FileDataset>(std::move(files), task.num_classes, decode_options(data));
}

}  // namespace marquee::datasets
