#include "cluster/archive_reader.h"

#include <algorithm>

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kAlwaysAllowed = std::uint64_t{1} << 30;
constexpr std::uint64_t kMostTimesLarger = 100;
constexpr std::size_t kMaxEntries = 10'000'000;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kBlock = 1 << 18;
constexpr std::size_t kMappedBlock = 1 << 20;  // below 4 GiB, which libarchive's checksums are for

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

}  // namespace

struct ArchiveReader::State {
  explicit State(const fs::path& of) : path(of), reader(archive_read_new(), archive_read_free) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw_environment(path.string() + ": " + what);
  }
  void check(int status, const std::string& where) const {
    if (status == ARCHIVE_OK || status == ARCHIVE_EOF) return;
    const char* reason = archive_error_string(reader.get());
    fail(where + (reason != nullptr ? reason : "cannot be read"));
  }

  Utf8Names utf8_names;
  fs::path path;
  std::shared_ptr<const MappedFile> mapping;  // what the reader reads
  Reader reader;
  std::uint64_t allowed = 0, total = 0;
  std::size_t count = 0;
};

ArchiveReader::ArchiveReader(const fs::path& path, Formats formats)
    : state_(std::make_unique<State>(path)) {
  archive* const reader = state_->reader.get();
  if (formats == kZip) {
    archive_read_support_format_zip_seekable(reader);
  } else {
    archive_read_support_format_zip(reader);
    archive_read_support_format_tar(reader);
    // Not "all": some of those start a program of the system (lrzip, grzip, lzop), which a file of
    // unknown origin shall not bring about.
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_zstd(reader);
  }
  if (formats == kZip) {
    state_->mapping = MappedFile::open(path);
    const std::string_view bytes = state_->mapping->bytes();
    state_->check(archive_read_open_memory2(reader, bytes.data(), bytes.size(), kMappedBlock),
                  "no zip archive: ");
  } else {
    state_->check(archive_read_open_filename(reader, path.c_str(), kBlock),
                  "no zip or tar archive: ");
  }
  state_->allowed =
      std::max(kAlwaysAllowed, kMostTimesLarger * static_cast<std::uint64_t>(fs::file_size(path)));
}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::next() {
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(state_->reader.get(), &entry);
    if (status == ARCHIVE_EOF) return false;
    state_->check(status, "damaged archive: ");
    if (++state_->count > kMaxEntries) state_->fail("holds more than 10 million entries");
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const char* stored = archive_entry_pathname(entry);
    name_ = stored != nullptr ? stored : "";
    if (name_.empty() || name_.size() > kMaxNameBytes)
      state_->fail("entry " + std::to_string(state_->count) +
                   " has no name or one above 4,096 bytes");
    size_ = archive_entry_size_is_set(entry) != 0
                ? std::optional(static_cast<std::uint64_t>(archive_entry_size(entry)))
                : std::nullopt;
    return true;
  }
}

std::string_view ArchiveReader::block() {
  for (;;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(state_->reader.get(), &data, &size, &offset);
    state_->check(status, name_ + ": damaged: ");
    if (status == ARCHIVE_EOF) return {};
    if (size == 0) continue;
    state_->total += size;
    if (state_->total > state_->allowed) state_->fail("unpacks to more than 100 times its size");
    return {static_cast<const char*>(data), size};
  }
}

std::string ArchiveReader::bytes(std::uint64_t most) {
  std::string bytes;
  for (std::string_view part = block(); !part.empty(); part = block()) {
    if (bytes.size() + part.size() > most)
      state_->fail(name_ + ": unpacks to more than " + std::to_string(most >> 20) + " MiB");
    bytes.append(part);
  }
  return bytes;
}

const std::shared_ptr<const MappedFile>& ArchiveReader::mapping() const {
  return state_->mapping;
}

}  // namespace marquee::cluster
