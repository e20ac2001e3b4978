#include "datasets/tfds_folder.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/text.h"
#include "datasets/json_file.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxInfoBytes = std::uintmax_t{16} << 20;
constexpr std::int64_t kMaxExamples = std::int64_t{1} << 31;
constexpr std::size_t kMaxShards = 100000;  // of all splits
constexpr std::size_t kMaxNameBytes = 255;  // what file systems take
constexpr const char* kDefaultTemplate = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}";

using Version = std::array<int, 3>;

// proto3 JSON writes 64-bit integers as strings; old files have plain numbers.
std::optional<std::int64_t> integer(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(text);
}

std::optional<Version> version_of(const std::string& folder) {
  Version version{-1, -1, -1};
  int consumed = 0;
  if (folder.size() > 30 ||
      std::sscanf(folder.c_str(), "%d.%d.%d%n", &version[0], &version[1], &version[2], &consumed) !=
          3 ||
      static_cast<std::size_t>(consumed) != folder.size()) {
    return std::nullopt;
  }
  return version;
}

std::string shown(const json& value) {
  constexpr std::size_t kMost = 200;
  return cluster::printable(value.dump().substr(0, kMost));
}

// One component of a path, and no other folder.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

bool has_same_content(const TaskInfo& task, const Version& version) {
  return std::any_of(task.same_content.begin(), task.same_content.end(),
                     [&](const std::string& other) { return version_matches(version, other); });
}

// 2: as asked for; 1: the same content; 0: any other.
int rank_of(const TaskInfo& task, const Version& version) {
  if (version_matches(version, task.version)) return 2;
  return has_same_content(task, version) ? 1 : 0;
}

fs::path best_version(const TaskInfo& task, const fs::path& parent) {
  fs::path found;
  Version best{};
  int best_rank = -1;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    const std::optional<Version> version = version_of(entry.path().filename().string());
    if (!version || !fs::exists(entry.path() / "dataset_info.json")) continue;
    const int rank = rank_of(task, *version);
    if (std::pair(rank, *version) > std::pair(best_rank, best)) {
      best = *version;
      best_rank = rank;
      found = entry.path();
    }
  }
  if (found.empty()) {
    cluster::throw_environment(
        "task '" + task.name + "': no prepared TFDS data set in " + parent.string() +
        " (looked for <version>/dataset_info.json), and no VTAB-1k folder '" + task.vtab1k_folder +
        "' beside it; name the folder with --data");
  }
  return found;
}

using Words = std::vector<std::pair<std::string_view, std::string>>;

std::string with_words(std::string text, const Words& words) {
  for (const auto& [word, value] : words) {
    for (std::size_t at = text.find(word); at != std::string::npos;
         at = text.find(word, at + value.size()))
      text.replace(at, word.size(), value);
  }
  return text;
}

std::string five_digits(std::size_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%05zu", value);
  return text;
}

class InfoReader {
 public:
  InfoReader(TfdsFolder& folder, fs::path file) : folder_(folder), file_(std::move(file)) {}

  void read() {
    const json content = read_json_file(file_);
    if (!content.is_object() || !content.contains("splits") || !content["splits"].is_array())
      fail("is no JSON object with a list 'splits'");
    const json format = content.value("fileFormat", json("tfrecord"));
    if (format != "tfrecord")
      fail("the files are of format " + shown(format) + "; only tfrecord is read");
    for (const json& entry : content["splits"]) {
      if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string())
        fail("a split has no name");
      const auto name = entry["name"].get<std::string>();
      if (!is_file_name(name))
        fail("split name '" + cluster::printable(name.substr(0, 200)) + "' is not allowed");
      folder_.splits[name] = split(entry, name);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(file_.string() + ": " + what);
  }

  // A small file can declare many splits of many shards each, and every shard takes memory.
  void take_shards(std::size_t count) {
    shards_ += std::min(count, kMaxShards + 1);
    if (shards_ > kMaxShards)
      fail("its splits have more than " + std::to_string(kMaxShards) + " shards");
  }

  TfdsSplit split(const json& entry, const std::string& name) {
    const auto wrong = [&](const std::string& what) {
      fail("split '" + cluster::printable(name) + "': " + what);
    };
    TfdsSplit split;
    const auto lengths = entry.find("shardLengths");
    if (lengths != entry.end() && lengths->is_array() && !lengths->empty()) {
      take_shards(lengths->size());
      for (const json& length : *lengths) {
        const std::optional<std::int64_t> count = integer(length);
        if (!count || *count < 0 || *count > kMaxExamples)
          wrong("shardLengths holds '" + shown(length) + "', expected a count");
        split.shard_lengths.push_back(*count);
      }
    } else {
      // Version 1 of TFDS counted shards, not what is in them.
      const std::optional<std::int64_t> shards = integer(entry.value("numShards", json()));
      if (!shards || *shards < 1 || *shards > static_cast<std::int64_t>(kMaxShards)) {
        wrong("neither shardLengths nor numShards is there as 1 to " + std::to_string(kMaxShards) +
              " counts");
      }
      take_shards(static_cast<std::size_t>(*shards));
      split.shard_lengths.assign(static_cast<std::size_t>(*shards), -1);
    }
    const auto statistics = entry.find("statistics");
    if (statistics != entry.end() && statistics->is_object())
      split.examples = integer(statistics->value("numExamples", json())).value_or(-1);
    split.bytes = integer(entry.value("numBytes", json())).value_or(-1);

    const json pattern = entry.value("filepathTemplate", json(kDefaultTemplate));
    if (!pattern.is_string()) wrong("filepathTemplate is no text");
    const std::size_t shards = split.shard_lengths.size();
    std::string form = pattern.get<std::string>();
    if (form.empty()) form = kDefaultTemplate;
    const bool tells_shards = form.find("{SHARD_INDEX}") != std::string::npos ||
                              form.find("{SHARD_X_OF_Y}") != std::string::npos;
    const auto no_file = [&] {
      wrong("filepathTemplate '" + cluster::printable(form.substr(0, 200)) +
            "' names no file for each shard in the folder itself");
    };
    if (form.size() > 1000 || (shards > 1 && !tells_shards)) no_file();
    const std::string count = five_digits(shards);
    const std::string common = with_words(form, {{"{DATASET}", folder_.name},
                                                 {"{SPLIT}", name},
                                                 {"{FILEFORMAT}", "tfrecord"},
                                                 {"{NUM_SHARDS}", count}});
    for (std::size_t i = 0; i < shards; ++i) {
      const std::string index = five_digits(i);
      const std::string file = with_words(
          common, {{"{SHARD_INDEX}", index}, {"{SHARD_X_OF_Y}", index + "-of-" + count}});
      if (!is_file_name(file)) no_file();
      split.files.push_back(folder_.path / file);
    }
    return split;
  }

  TfdsFolder& folder_;
  fs::path file_;
  std::size_t shards_ = 0;
};

}  // namespace

std::int64_t TfdsSplit::size() const {
  if (!shard_lengths.empty() && shard_lengths.front() < 0)
    return std::max(examples, std::int64_t{0});
  return std::accumulate(shard_lengths.begin(), shard_lengths.end(), std::int64_t{0});
}

bool version_matches(const std::array<int, 3>& version, const std::string& pattern) {
  std::size_t at = 0;
  for (const int part : version) {
    const std::size_t dot = std::min(pattern.find('.', at), pattern.size());
    const std::string wanted = pattern.substr(at, dot - at);
    if (wanted != "*" && wanted != std::to_string(part)) return false;
    at = std::min(dot + 1, pattern.size());
  }
  return true;
}

bool has_tfds(const TaskInfo& task, const fs::path& data_dir) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_dir / task.builder, error)) {
    if (version_of(entry.path().filename().string()) &&
        fs::exists(entry.path() / "dataset_info.json"))
      return true;
  }
  return false;
}

TfdsFolder read_tfds_folder(const TaskInfo& task, const fs::path& path) {
  TfdsFolder folder;
  folder.path = path;
  folder.name = task.builder.substr(0, task.builder.find('/'));
  folder.version = path.filename().string();
  const std::optional<Version> version = version_of(folder.version);
  folder.as_asked = version && rank_of(task, *version) > 0;
  folder.named_by_vtab = version && version_matches(*version, task.version);
  InfoReader(folder, path / "dataset_info.json").read();
  return folder;
}

TfdsFolder open_tfds_folder(const TaskInfo& task, const fs::path& data_dir) {
  if (data_dir.empty()) {
    cluster::throw_environment("task '" + task.name +
                               "' needs data: name the TFDS folder that holds " + task.builder +
                               " with --data");
  }
  if (!fs::is_directory(data_dir)) {
    cluster::throw_environment("data folder " + data_dir.string() +
                               " does not exist; name a TFDS folder with --data");
  }
  return read_tfds_folder(task, best_version(task, data_dir / task.builder));
}

std::vector<std::string> tfds_label_names(const TfdsFolder& folder, const std::string& feature) {
  const fs::path file = folder.path / (feature + ".labels.txt");
  std::vector<std::string> names;
  if (!fs::exists(file)) return names;
  const std::string text = cluster::read_file(file, kMaxInfoBytes);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    names.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

}  // namespace marquee::datasets
