#include "datasets/image_archive.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "example.pb.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxEntryBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kAlwaysAllowed = std::uint64_t{1} << 30;
constexpr std::uint64_t kMostTimesLarger = 100;
constexpr std::size_t kMaxEntries = 10'000'000;
constexpr std::size_t kMaxNameBytes = 4096;

// Name, and the bytes, of one regular file.
void add_record(std::ofstream& out, const std::string& name, std::string bytes) {
  wire::Example example;
  auto& features = *example.mutable_features()->mutable_feature();
  features["name"].mutable_bytes_list()->add_value(name);
  features["image"].mutable_bytes_list()->add_value(std::move(bytes));
  write_record(out, example.SerializeAsString());
}

// libarchive converts names to the thread's character set and gives up on those that do not fit in:
// in the locale "C", in which programs start, on all that are not ASCII.
class Utf8Names {
 public:
  Utf8Names() : before_(utf8_ != locale_t{} ? ::uselocale(utf8_) : locale_t{}) {}
  ~Utf8Names() {
    if (utf8_ == locale_t{}) return;
    ::uselocale(before_);
    ::freelocale(utf8_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t utf8_ = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  locale_t before_;
};

using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;

// Walks the regular files of an archive; every failure names the archive, and the entry where there
// is one.
class Walker {
 public:
  explicit Walker(const fs::path& path)
      : path_(path), reader_(archive_read_new(), archive_read_free) {
    archive_read_support_format_zip(reader_.get());
    archive_read_support_format_tar(reader_.get());
    // Not "all": some of those start a program of the system (lrzip, grzip, lzop), which a file of
    // unknown origin shall not bring about.
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_bzip2(reader_.get());
    archive_read_support_filter_xz(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
    check(archive_read_open_filename(reader_.get(), path.c_str(), kBlock),
          "no zip or tar archive: ");
    allowed_ = std::max(kAlwaysAllowed,
                        kMostTimesLarger * static_cast<std::uint64_t>(fs::file_size(path)));
  }

  // False behind the last file.
  bool next() {
    for (;;) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(reader_.get(), &entry);
      if (status == ARCHIVE_EOF) return false;
      check(status, "damaged archive: ");
      if (++count_ > kMaxEntries) fail("holds more than 10 million entries");
      if (archive_entry_filetype(entry) != AE_IFREG) continue;
      const char* stored = archive_entry_pathname(entry);
      name_ = stored != nullptr ? stored : "";
      if (name_.empty() || name_.size() > kMaxNameBytes)
        fail("entry " + std::to_string(count_) + " has no name or one above 4,096 bytes");
      return true;
    }
  }

  const std::string& name() const { return name_; }

  std::string bytes() {
    std::string bytes;
    std::vector<char> buffer(kBlock);
    for (;;) {
      const auto read = archive_read_data(reader_.get(), buffer.data(), buffer.size());
      if (read < 0) check(ARCHIVE_FATAL, name_ + ": damaged: ");
      if (read <= 0) return bytes;
      total_ += static_cast<std::uint64_t>(read);
      if (bytes.size() + static_cast<std::size_t>(read) > kMaxEntryBytes)
        fail(name_ + ": unpacks to more than 256 MiB");
      if (total_ > allowed_) fail("unpacks to more than 100 times its size");
      bytes.append(buffer.data(), static_cast<std::size_t>(read));
    }
  }

 private:
  static constexpr std::size_t kBlock = 1 << 18;

  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(path_.string() + ": " + what);
  }
  void check(int status, const std::string& where) const {
    if (status == ARCHIVE_OK || status == ARCHIVE_EOF) return;
    const char* reason = archive_error_string(reader_.get());
    fail(where + (reason != nullptr ? reason : "cannot be read"));
  }

  Utf8Names utf8_names_;
  fs::path path_;
  Reader reader_;
  std::uint64_t allowed_ = 0, total_ = 0;
  std::size_t count_ = 0;
  std::string name_;
};

void unpack(const fs::path& path, const fs::path& pack) {
  Walker files(path);
  cluster::StagedFile staged(pack);
  std::ofstream out(staged.staging_path(), std::ios::binary);
  while (files.next()) add_record(out, files.name(), files.bytes());
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
  Walker files(path);
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
