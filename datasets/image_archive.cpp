#include "datasets/image_archive.h"

#include <algorithm>
#include <fstream>

#include "cluster/archive_reader.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "example.pb.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxImageBytes = std::uint64_t{256} << 20;

// Name, and the bytes, of one regular file.
void add_record(std::ofstream& out, const std::string& name, std::string bytes) {
  wire::Example example;
  auto& features = *example.mutable_features()->mutable_feature();
  features["name"].mutable_bytes_list()->add_value(name);
  features["image"].mutable_bytes_list()->add_value(std::move(bytes));
  write_record(out, example.SerializeAsString());
}

void unpack(const fs::path& path, const fs::path& pack) {
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZipOrTar);
  cluster::StagedFile staged(pack);
  std::ofstream out(staged.staging_path(), std::ios::binary);
  while (files.next()) add_record(out, files.name(), files.bytes(kMaxImageBytes));
  out.close();
  if (!out) cluster::throw_environment(pack.string() + ": cannot be written (disk full?)");
  staged.commit();
}

void check_is_file(const fs::path& path) {
  if (!fs::is_regular_file(path))
    cluster::throw_environment(path.string() + ": is neither a folder nor an archive");
}

fs::path pack_of(const fs::path& path, const fs::path& cache) {
  check_is_file(path);
  const std::uintmax_t size = fs::file_size(path);
  const auto time = fs::last_write_time(path).time_since_epoch().count();
  const std::string key =
      cluster::sha256_hex(fs::absolute(path).lexically_normal().string() + "\n" +
                          std::to_string(size) + "\n" + std::to_string(time));
  const fs::path pack = cache / ("archive-" + key.substr(0, 32) + ".tfrecord");
  if (!fs::exists(pack)) {
    cluster::create_directories_durably(cache);
    unpack(path, pack);
  }
  return pack;
}

// Places by name.
using Records = std::map<std::string, std::size_t>;

void add_name(Records& records, std::string name, std::size_t place) {
  while (name.starts_with("./")) name.erase(0, 2);
  records[std::move(name)] = place;
}

// The folder that every name lies in, with its slash; empty where there is none.
std::string common_folder(const Records& names) {
  if (names.empty()) return "";
  const std::string& first = names.begin()->first;
  const std::size_t slash = first.find('/');
  if (slash == std::string::npos) return "";
  const std::string folder = first.substr(0, slash + 1);
  const bool all = std::all_of(names.begin(), names.end(),
                               [&](const auto& name) { return name.first.starts_with(folder); });
  return all ? folder : "";
}

// A zip usually holds the folder itself: taken off while classes lie below it.
Records unwrapped(Records records) {
  for (;;) {
    const std::string folder = common_folder(records);
    // "train/" alone would be a split, not a wrapping.
    if (folder.empty() || folder == "train/") return records;
    const bool classes_below = std::any_of(records.begin(), records.end(), [&](const auto& record) {
      return record.first.find('/', folder.size()) != std::string::npos;
    });
    if (!classes_below) return records;
    Records shorter;
    for (const auto& [name, record] : records) shorter[name.substr(folder.size())] = record;
    records = std::move(shorter);
  }
}

std::vector<std::string> names_of(const Records& records) {
  std::vector<std::string> names;
  for (const auto& [name, record] : records) names.push_back(name);
  return names;
}

wire::Example parsed(const TfRecordFile& pack, std::size_t record) {
  wire::Example example;
  const bool whole = example.ParseFromString(pack.record(record)) &&
                     example.features().feature().contains("name") &&
                     example.features().feature().contains("image");
  if (!whole) cluster::throw_environment(pack.where(record) + ": is no entry of an archive");
  return example;
}

std::string only_value(const wire::Example& example, const char* key) {
  const auto& list = example.features().feature().at(key).bytes_list();
  return list.value_size() == 1 ? list.value(0) : "";
}

}  // namespace

std::vector<std::string> archive_names(const fs::path& path) {
  check_is_file(path);
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZipOrTar);
  Records records;
  while (files.next()) add_name(records, files.name(), records.size());
  return names_of(unwrapped(std::move(records)));
}

ImageArchive::ImageArchive(fs::path path, const fs::path& cache)
    : path_(std::move(path)), pack_(pack_of(path_, cache)) {
  for (std::size_t i = 0; i < pack_.size(); ++i)
    add_name(records_, only_value(parsed(pack_, i), "name"), i);
  records_ = unwrapped(std::move(records_));
}

std::vector<std::string> ImageArchive::names() const {
  return names_of(records_);
}

std::string ImageArchive::bytes(const std::string& name) const {
  const auto found = records_.find(name);
  MARQUEE_CHECK(found != records_.end(), "no entry " + name);
  return only_value(parsed(pack_, found->second), "image");
}

}  // namespace marquee::datasets
