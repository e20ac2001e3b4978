#include "datasets/tfrecord.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <isa-l.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::datasets {
namespace {

constexpr std::uint64_t kHeaderBytes = 12;  // length and its checksum
constexpr std::uint64_t kFooterBytes = 4;
constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{256} << 20;

std::uint32_t u32_at(const std::byte* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
std::uint64_t u64_at(const std::byte* bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  constexpr std::size_t kChunk = std::size_t{1} << 30;  // the library counts in int
  for (std::size_t at = 0; at < bytes.size(); at += kChunk) {
    auto* begin = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data() + at));
    crc = crc32_iscsi(begin, static_cast<int>(std::min(kChunk, bytes.size() - at)), crc);
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

void write_record(std::ostream& out, std::string_view payload) {
  const std::uint64_t length = payload.size();
  const auto put = [&](const auto& value) {
    out.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(length);
  put(masked_crc32c(std::as_bytes(std::span(&length, 1))));
  out.write(payload.data(), static_cast<std::streamsize>(payload.size()));
  put(masked_crc32c(std::as_bytes(std::span(payload.data(), payload.size()))));
}

TfRecordFile::TfRecordFile(std::filesystem::path path) : path_(std::move(path)) {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    cluster::throw_environment(path_.string() + ": cannot be opened (" +
                               cluster::errno_text(errno) + ")");
  struct stat info {};
  if (::fstat(file, &info) == 0 && S_ISREG(info.st_mode))
    bytes_ = static_cast<std::size_t>(info.st_size);
  void* mapped = bytes_ == 0 ? nullptr : ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  ::close(file);
  if (mapped == MAP_FAILED) {
    cluster::throw_environment(path_.string() + ": cannot be mapped (" +
                               cluster::errno_text(error) + ")");
  }
  data_ = static_cast<const std::byte*>(mapped);
  try {
    scan();
  } catch (...) {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), bytes_);
    throw;
  }
}

TfRecordFile::~TfRecordFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), bytes_);
}

TfRecordFile::TfRecordFile(TfRecordFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      records_(std::move(other.records_)) {}

void TfRecordFile::scan() {
  std::uint64_t at = 0;
  while (at < bytes_) {
    const auto fail = [&](const std::string& what) {
      cluster::throw_environment(path_.string() + ": record " + std::to_string(records_.size()) +
                                 " at byte " + std::to_string(at) + ": " + what);
    };
    const std::uint64_t left = bytes_ - at;
    if (left < kHeaderBytes)
      fail("truncated: " + std::to_string(left) + " bytes left where a header of 12 begins");
    if (masked_crc32c({data_ + at, 8}) != u32_at(data_ + at + 8)) {
      fail("checksum of its length is wrong (damaged, or not an uncompressed TFRecord file)");
    }
    const std::uint64_t length = u64_at(data_ + at);
    if (length > kMaxRecordBytes) {
      fail("length " + std::to_string(length) + " is more than the " +
           std::to_string(kMaxRecordBytes) + " bytes allowed");
    }
    if (left - kHeaderBytes < length + kFooterBytes) {
      fail("truncated: " + std::to_string(length) +
           " bytes of data declared, the file ends before");
    }
    records_.push_back({at, length});
    at += kHeaderBytes + length + kFooterBytes;
  }
}

std::string TfRecordFile::where(std::size_t index) const {
  return path_.string() + ": record " + std::to_string(index) + " at byte " +
         std::to_string(records_.at(index).offset);
}

std::span<const std::byte> TfRecordFile::record(std::size_t index) const {
  const Record& entry = records_.at(index);
  const std::byte* begin = data_ + entry.offset + kHeaderBytes;
  const std::span<const std::byte> payload(begin, entry.length);
  if (masked_crc32c(payload) != u32_at(begin + entry.length)) {
    cluster::throw_environment(where(index) + ": checksum of its data is wrong (damaged)");
  }
  return payload;
}

}  // namespace marquee::datasets
