#include "datasets/tfds.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "datasets/decode.h"
#include "datasets/tfrecord.h"
#include "example.pb.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxInfoBytes = std::uintmax_t{16} << 20;
constexpr std::int64_t kMaxExamples = std::int64_t{1} << 31;
constexpr std::size_t kMaxShards = 100000;

// proto3 JSON writes 64-bit integers as strings; old files have plain numbers.
std::optional<std::int64_t> integer(const json& value) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(text);
}

std::array<int, 3> version_of(const std::string& folder) {
  std::array<int, 3> version{-1, -1, -1};
  int consumed = 0;
  if (folder.size() > 30 ||
      std::sscanf(folder.c_str(), "%d.%d.%d%n", &version[0], &version[1], &version[2], &consumed) !=
          3 ||
      static_cast<std::size_t>(consumed) != folder.size()) {
    return {-1, -1, -1};
  }
  return version;
}

fs::path newest_version(const TaskInfo& task, const fs::path& parent) {
  const std::string asked = task.version.substr(0, task.version.find('.'));
  const auto is_asked = [&](const std::array<int, 3>& v) { return std::to_string(v[0]) == asked; };
  std::array<int, 3> best{-1, -1, -1};
  fs::path found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    const std::array<int, 3> version = version_of(entry.path().filename().string());
    const bool better = is_asked(version) == is_asked(best) ? version > best : is_asked(version);
    if (better && fs::exists(entry.path() / "dataset_info.json")) {
      best = version;
      found = entry.path();
    }
  }
  if (found.empty()) {
    cluster::throw_environment(
        "task '" + task.name + "': no prepared TFDS data set in " + parent.string() +
        " (looked for <version>/dataset_info.json); name the TFDS folder with --data");
  }
  if (!is_asked(best)) {
    cluster::log_warning("datasets", task.name + ": version " + found.filename().string() +
                                         " is read, VTAB asks for " + task.version);
  }
  return found;
}

TfdsSplit split_of(const TfdsFolder& folder, const json& entry, const std::string& name,
                   const fs::path& info) {
  const auto fail = [&](const std::string& what) {
    cluster::throw_environment(info.string() + ": split '" + name + "': " + what);
  };
  TfdsSplit split;
  const auto lengths = entry.find("shardLengths");
  if (lengths == entry.end() || !lengths->is_array() || lengths->empty() ||
      lengths->size() > kMaxShards) {
    fail("shardLengths is missing or no list of 1 to " + std::to_string(kMaxShards) + " numbers");
  }
  for (const json& length : *lengths) {
    const std::optional<std::int64_t> count = integer(length);
    if (!count || *count < 0 || *count > kMaxExamples)
      fail("shardLengths holds '" + length.dump() + "', expected a count");
    split.shard_lengths.push_back(*count);
  }
  const std::size_t shards = split.shard_lengths.size();
  for (std::size_t i = 0; i < shards; ++i) {
    char suffix[64];
    std::snprintf(suffix, sizeof suffix, ".tfrecord-%05zu-of-%05zu", i, shards);
    split.files.push_back(folder.path / (folder.name + "-" + name + suffix));
  }
  return split;
}

using Features = google::protobuf::Map<std::string, wire::Feature>;

// Depths of clevr's objects and distances of kitti's vehicles: the third of every three numbers.
double nearest(const google::protobuf::RepeatedField<float>& triples, int index) {
  return triples.Get(3 * index + 2);
}

int bin_of(double distance, std::initializer_list<double> thresholds) {
  int bin = -1, i = 0;
  for (const double threshold : thresholds) {
    if (threshold < distance) bin = i;
    ++i;
  }
  // The last threshold only bounds the last bin.
  return bin == static_cast<int>(thresholds.size()) - 1 ? -1 : bin;
}

class Reader {
 public:
  Reader(const TaskInfo& task, const TfRecordFile& file, std::size_t record)
      : task_(task), file_(file), record_(record) {
    const std::span<const std::byte> bytes = file.record(record);
    if (!example_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      fail("is no tf.train.Example");
  }

  int label() const {
    const double value = raw_label();
    if (value < 0 || value >= task_.num_classes) return -1;
    return static_cast<int>(value);
  }
  std::string id(std::size_t position) const {
    for (const char* key : {"filename", "file_name", "image/file_name", "name", "id"}) {
      const auto found = features().find(key);
      if (found != features().end() && found->second.bytes_list().value_size() == 1)
        return found->second.bytes_list().value(0);
    }
    return std::to_string(position);
  }
  Image image() const {
    const auto& list = feature(task_.image_key).bytes_list().value();
    if (list.size() != 1)
      fail("has " + std::to_string(list.size()) + " values of bytes feature '" + task_.image_key +
           "', expected 1");
    Image image;
    try {
      image = decode_image(std::as_bytes(std::span(list[0])));
    } catch (cluster::Error& error) {
      error.add_context(file_.where(record_));
      throw;
    }
    if (task_.pixel_scale != 1) {
      for (std::uint8_t& level : image.rgb)
        level = static_cast<std::uint8_t>(level * task_.pixel_scale);
    }
    return image;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(file_.where(record_) + ": " + what);
  }
  const Features& features() const { return example_.features().feature(); }
  const wire::Feature& feature(const std::string& key) const {
    const auto found = features().find(key);
    if (found == features().end()) fail("has no feature '" + key + "'");
    return found->second;
  }
  double raw_label() const {
    switch (task_.rule) {
      case LabelRule::plain:
      case LabelRule::floor_division: {
        const auto& list = feature(task_.label_key).int64_list().value();
        if (list.size() != 1)
          fail("has " + std::to_string(list.size()) + " values of integer feature '" +
               task_.label_key + "', expected 1");
        return std::floor(static_cast<double>(list[0]) / task_.divisor);
      }
      case LabelRule::clevr_count:
        return feature("objects/size").int64_list().value_size() - 3.0;
      case LabelRule::clevr_distance: {
        const auto& coordinates = feature("objects/pixel_coords").float_list().value();
        if (coordinates.empty()) return -1;
        double depth = std::numeric_limits<double>::infinity();
        for (int i = 0; i < coordinates.size() / 3; ++i)
          depth = std::min(depth, nearest(coordinates, i));
        return bin_of(depth, {0, 8, 8.5, 9, 9.5, 10, 100});
      }
      case LabelRule::kitti_distance: {
        const auto& types = feature("objects/type").int64_list().value();
        const auto& locations = feature("objects/location").float_list().value();
        if (locations.size() != 3 * types.size())
          fail("has objects/location of another length than objects/type");
        double distance = 1000.0;  // stands for "no vehicle"
        for (int i = 0; i < types.size(); ++i) {
          if (types[i] < 3) distance = std::min(distance, nearest(locations, i));
        }
        return distance > 999 ? 3 : bin_of(distance, {-100, 8, 20, 999});
      }
    }
    return -1;
  }

  const TaskInfo& task_;
  const TfRecordFile& file_;
  std::size_t record_;
  wire::Example example_;
};

class TfdsDataset : public Dataset {
 public:
  TfdsDataset(TaskInfo task) : task_(std::move(task)) {}

  // Appends [from, to) of the split.
  void append(const TfdsSplit& split, std::int64_t from, std::int64_t to) {
    std::int64_t first = 0;
    for (std::size_t shard = 0; shard < split.files.size(); ++shard) {
      const std::int64_t length = split.shard_lengths[shard];
      const std::int64_t begin = std::max(from - first, std::int64_t{0}),
                         end = std::min(to - first, length);
      if (begin < end) {
        const TfRecordFile& file = open(split.files[shard], length);
        for (std::int64_t i = begin; i < end; ++i)
          rows_.push_back({&file, static_cast<std::size_t>(i)});
      }
      first += length;
    }
  }
  void read_labels() {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Reader reader(task_, *rows_[i].file, rows_[i].record);
      labels_.push_back(reader.label());
      ids_.push_back(reader.id(i));
    }
  }

  std::size_t size() const override { return rows_.size(); }
  int num_classes() const override { return task_.num_classes; }
  int label(std::size_t index) const override { return labels_.at(index); }
  std::string id(std::size_t index) const override { return ids_.at(index); }
  Image image(std::size_t index) const override {
    return Reader(task_, *rows_.at(index).file, rows_[index].record).image();
  }

 private:
  struct Row {
    const TfRecordFile* file;
    std::size_t record;
  };
  const TfRecordFile& open(const fs::path& path, std::int64_t declared) {
    const auto known = files_.find(path);
    if (known != files_.end()) return *known->second;
    if (!fs::exists(path))
      cluster::throw_environment("task '" + task_.name + "': shard " + path.string() +
                                 " is missing");
    auto file = std::make_unique<TfRecordFile>(path);
    if (static_cast<std::int64_t>(file->size()) != declared) {
      cluster::throw_environment(path.string() + ": holds " + std::to_string(file->size()) +
                                 " records, dataset_info.json declares " +
                                 std::to_string(declared) + " (short shard?)");
    }
    return *(files_[path] = std::move(file));
  }

  TaskInfo task_;
  std::map<fs::path, std::unique_ptr<TfRecordFile>> files_;
  std::vector<Row> rows_;
  std::vector<int> labels_;
  std::vector<std::string> ids_;
};

}  // namespace

std::int64_t TfdsSplit::size() const {
  std::int64_t total = 0;
  for (const std::int64_t length : shard_lengths) total += length;
  return total;
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
  TfdsFolder folder;
  folder.path = newest_version(task, data_dir / task.builder);
  folder.name = task.builder.substr(0, task.builder.find('/'));
  const fs::path info = folder.path / "dataset_info.json";
  const json content =
      json::parse(cluster::read_file(info, kMaxInfoBytes), nullptr, /*allow_exceptions=*/false);
  if (!content.is_object() || !content.contains("splits") || !content["splits"].is_array()) {
    cluster::throw_environment(info.string() + ": is no JSON object with a list 'splits'");
  }
  for (const json& entry : content["splits"]) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) {
      cluster::throw_environment(info.string() + ": a split has no name");
    }
    const auto name = entry["name"].get<std::string>();
    if (name.empty() || name.find_first_of("/\\") != std::string::npos) {
      cluster::throw_environment(info.string() + ": split name '" + name + "' is not allowed");
    }
    folder.splits[name] = split_of(folder, entry, name, info);
  }
  return folder;
}

std::unique_ptr<Dataset> open_tfds(const TaskInfo& task, const std::vector<Slice>& slices,
                                   const fs::path& data_dir) {
  const TfdsFolder folder = open_tfds_folder(task, data_dir);
  auto dataset = std::make_unique<TfdsDataset>(task);
  for (const Slice& slice : slices) {
    const auto split = folder.splits.find(slice.split);
    if (split == folder.splits.end()) {
      cluster::throw_environment((folder.path / "dataset_info.json").string() + ": has no split '" +
                                 slice.split + "', which task '" + task.name + "' needs");
    }
    const auto [from, to] = slice.rows_of(split->second.size());
    dataset->append(split->second, from, to);
  }
  dataset->read_labels();
  return dataset;
}

}  // namespace marquee::datasets
