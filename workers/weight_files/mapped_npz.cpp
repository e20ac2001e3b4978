#include "workers/weight_files/mapped_npz.h"

#include <algorithm>
#include <functional>
#include <optional>

#include <fcntl.h>

#include "cluster/archive_reader.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWindow = 64 << 20;  // what is read before its pages are released

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  cluster::throw_environment(source + ": " + what);
}

std::string source_of(const fs::path& path, const std::string& name) {
  return path.string() + ": " + cluster::printable(name);
}

// Reads on until `bytes` hold the header.
NpyHeader read_header(cluster::ArchiveReader& files, std::string& bytes,
                      const std::string& source) {
  while (bytes.size() < kMaxNpyHeaderBytes) {
    const std::string_view block = files.block();
    if (block.empty()) break;
    bytes += block;
  }
  return parse_npy_header(bytes, source);
}

// Where a member's bytes lie in the archive; nothing where they do not lie there as they are.
// Verifies all of them.
class InPlace {
 public:
  explicit InPlace(std::string_view archive) : archive_(archive) {}

  // `block` begins `at` bytes into the member. False where the member is not in place.
  bool add(std::string_view block, std::uint64_t at) {
    const std::less_equal<const char*> before;
    const bool inside = before(archive_.data(), block.data()) &&
                        before(block.data() + block.size(), archive_.data() + archive_.size());
    if (begin_) return holds(block, *begin_ + at);
    if (!inside) {  // a copy, as the reader makes of what lies across its blocks
      skipped_ += block;
      return skipped_.size() <= kMostSkipped;
    }
    const auto offset = static_cast<std::uint64_t>(block.data() - archive_.data());
    if (offset < at) return false;
    begin_ = offset - at;
    return holds(skipped_, *begin_);
  }

  std::optional<std::uint64_t> begin() const { return begin_; }

 private:
  static constexpr std::size_t kMostSkipped = 4 << 20;

  bool holds(std::string_view block, std::uint64_t offset) const {
    if (offset > archive_.size() || block.size() > archive_.size() - offset) return false;
    const std::string_view there = archive_.substr(offset, block.size());
    return there.data() == block.data() || there == block;
  }

  std::string_view archive_;
  std::string skipped_;  // the member's first bytes
  std::optional<std::uint64_t> begin_;
};

void find(cluster::ArchiveReader& files, const std::string& name, const std::string& source) {
  do {
    if (!files.next()) fail(source, "is gone");
  } while (npz_array_name(files.name()) != name);
}

std::optional<MappedNpy> mapped_in_place(const fs::path& path, const std::string& name,
                                         const std::string& source) {
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  find(files, name, source);
  const std::shared_ptr<const cluster::MappedFile> file = files.mapping();
  InPlace in_place(file->bytes());
  constexpr std::uint64_t kOverlap = 1 << 16;  // parts of pages are not released
  std::uint64_t total = 0, released = 0;
  for (std::string_view block = files.block(); !block.empty(); block = files.block()) {
    if (!in_place.add(block, total)) return std::nullopt;
    total += block.size();
    if (!in_place.begin() || total - released < kWindow) continue;
    file->release(file->bytes().substr(*in_place.begin() + released, total - released));
    released = total - kOverlap;
  }
  if (!in_place.begin()) return std::nullopt;
  const std::string_view member = file->bytes().substr(*in_place.begin(), total);
  const NpyHeader header = parse_npy_header(member.substr(0, kMaxNpyHeaderBytes), source);
  check_npy_size(header, member.size() - header.begin, source);
  return MappedNpy{header, file, member.substr(header.begin)};
}

void check_space(const fs::path& folder, std::uint64_t bytes, const std::string& source) {
  std::error_code failed;
  const fs::space_info space = fs::space(folder, failed);
  if (failed) fail(folder.string(), failed.message());
  if (bytes <= space.available) return;
  fail(source, "unpacks to " + std::to_string(bytes >> 20) + " MiB, and " + folder.string() +
                   " has room for " + std::to_string(space.available >> 20) +
                   " (--cache names another folder)");
}

MappedNpy unpacked(const fs::path& path, const std::string& name, const std::string& source,
                   const fs::path& scratch) {
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  find(files, name, source);
  std::string beginning;
  const NpyHeader header = read_header(files, beginning, source);
  const std::uint64_t whole = header.begin + header.size;
  if (scratch.empty()) fail(source, "is compressed, and there is no folder to unpack it in");
  cluster::create_directories_durably(scratch);
  check_space(scratch, whole, source);
  const cluster::StagedFile staged(scratch / "unpacked.npy");  // not kept
  const cluster::Descriptor out(staged.staging_path(), O_WRONLY | O_CREAT | O_EXCL);
  std::uint64_t total = 0, released = 0;
  for (std::string_view part = beginning; !part.empty() && total <= whole; part = files.block()) {
    total += part.size();
    if (total <= whole) out.write(part);
    if (total - released < kWindow) continue;
    files.mapping()->release(files.mapping()->bytes());
    released = total;
  }
  check_npy_size(header, total - header.begin, source);
  auto file = cluster::MappedFile::open(staged.staging_path());
  const std::string_view numbers = file->bytes().substr(header.begin);
  return {header, std::move(file), numbers};
}

}  // namespace

std::map<std::string, NpyHeader> npz_headers(const fs::path& path) {
  std::map<std::string, NpyHeader> headers;
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  while (files.next()) {
    const std::string name = npz_array_name(files.name()), source = source_of(path, name);
    if (headers.contains(name)) fail(source, "is there twice");
    if (headers.size() >= kMaxStoredTensors) fail(path.string(), "holds more than 100,000 arrays");
    std::string bytes;
    const NpyHeader header = read_header(files, bytes, source);
    // As the archive says; whether it is so is seen when the array is read.
    if (const auto size = files.size(); size && header.unsupported.empty())
      check_npy_size(header, std::max<std::uint64_t>(*size, header.begin) - header.begin, source);
    headers[name] = header;
  }
  return headers;
}

MappedNpy map_npz_array(const fs::path& path, const std::string& name, const fs::path& scratch) {
  const std::string source = source_of(path, name);
  if (auto array = mapped_in_place(path, name, source)) return *array;
  return unpacked(path, name, source, scratch);
}

}  // namespace marquee::workers
