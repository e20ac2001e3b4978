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

// Name, and the bytes, of one regular file.
void add_record(std::ofstream& out, const std::string& name, std::string bytes) {
  wire::Example example;
  auto& features = *example.mutable_features()->mutable_feature();
  features["name"].mutable_bytes_list()->add_value(name);
  features["image"].mutable_bytes_list()->add_value(std::move(bytes));
  write_record(out, example.SerializeAsString());
}

void unpack(const fs::path& path, const fs::path& pack) {
  const auto fail = [&](const std::string& what) {
    cluster::throw_environment(path.string() + ": " + what);
  };
  const Utf8Names utf8_names;
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(),
                                                                      archive_read_free);
  archive_read_support_format_zip(reader.get());
  archive_read_support_format_tar(reader.get());
  // Not "all": some of those start a program of the system (lrzip, grzip, lzop), which a file of
  // unknown origin shall not bring about.
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  constexpr std::size_t kBlock = 1 << 18;
  const auto check = [&](int status, const std::string& where) {
    if (status == ARCHIVE_OK || status == ARCHIVE_EOF) return;
    const char* reason = archive_error_string(reader.get());
    fail(where + (reason != nullptr ? reason : "cannot be read"));
  };
  check(archive_read_open_filename(reader.get(), path.c_str(), kBlock), "no zip or tar archive: ");
  const std::uint64_t allowed =
      std::max(kAlwaysAllowed, kMostTimesLarger * static_cast<std::uint64_t>(fs::file_size(path)));

  cluster::StagedFile staged(pack);
  std::ofstream out(staged.staging_path(), std::ios::binary);
  std::uint64_t total = 0;
  std::size_t count = 0;
  archive_entry* entry = nullptr;
  std::vector<char> buffer(kBlock);
  for (;;) {
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    check(status, "damaged archive: ");
    if (++count > kMaxEntries) fail("holds more than 10 million entries");
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const char* stored = archive_entry_pathname(entry);
    const std::string name = stored != nullptr ? stored : "";
    if (name.empty() || name.size() > kMaxNameBytes)
      fail("entry " + std::to_string(count) + " has no name or one above 4,096 bytes");
    std::string bytes;
    for (;;) {
      const auto read = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (read < 0) check(ARCHIVE_FATAL, name + ": damaged: ");
      if (read <= 0) break;
      total += static_cast<std::uint64_t>(read);
      if (bytes.size() + static_cast<std::size_t>(read) > kMaxEntryBytes)
        fail(name + ": unpacks to more than 256 MiB");
      if (total > allowed) fail("unpacks to more than 100 times its size");
      bytes.append(buffer.data(), static_cast<std::size_t>(read));
    }
    add_record(out, name, std::move(bytes));
  }
  out.close();
  if (!out) cluster::throw_environment(pack.string() + ": cannot be written (disk full?)");
  staged.commit();
}

fs::path pack_of(const fs::path& path, const fs::path& cache) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || !fs::is_regular_file(path))
    cluster::throw_environment(path.string() + ": is neither a folder nor an archive");
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

// The folder that every name lies in, with its slash; empty where there is none.
std::string common_folder(const std::map<std::string, std::size_t>& names) {
  if (names.empty()) return "";
  const std::string& first = names.begin()->first;
  const std::size_t slash = first.find('/');
  if (slash == std::string::npos) return "";
  const std::string folder = first.substr(0, slash + 1);
  const bool all = std::all_of(names.begin(), names.end(),
                               [&](const auto& name) { return name.first.starts_with(folder); });
  return all ? folder : "";
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

ImageArchive::ImageArchive(fs::path path, const fs::path& cache)
    : path_(std::move(path)), pack_(pack_of(path_, cache)) {
  for (std::size_t i = 0; i < pack_.size(); ++i) {
    std::string name = only_value(parsed(pack_, i), "name");
    while (name.starts_with("./")) name.erase(0, 2);
    records_[std::move(name)] = i;
  }
  // A zip usually holds the folder itself.
  for (;;) {
    const std::string folder = common_folder(records_);
    // "train/" alone would be a split, not a wrapping.
    if (folder.empty() || folder == "train/") break;
    bool classes_below = false;
    for (const auto& [name, record] : records_)
      classes_below = classes_below || name.find('/', folder.size()) != std::string::npos;
    if (!classes_below) break;
    std::map<std::string, std::size_t> shorter;
    for (const auto& [name, record] : records_) shorter[name.substr(folder.size())] = record;
    records_ = std::move(shorter);
  }
}

std::vector<std::string> ImageArchive::names() const {
  std::vector<std::string> names;
  for (const auto& [name, record] : records_) names.push_back(name);
  return names;
}

std::string ImageArchive::bytes(const std::string& name) const {
  const auto found = records_.find(name);
  MARQUEE_CHECK(found != records_.end(), "no entry " + name);
  return only_value(parsed(pack_, found->second), "image");
}

}  // namespace marquee::datasets
