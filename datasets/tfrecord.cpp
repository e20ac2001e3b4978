#include "datasets/tfrecord.h"

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <isa-l.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"
#include "datasets/tfrecord_framing.h"

namespace marquee::datasets {

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
  open();
  try {
    scan();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

TfRecordFile::TfRecordFile(std::filesystem::path path, std::vector<RecordPlace> places)
    : path_(std::move(path)), records_(std::move(places)) {
  open();
}

TfRecordFile::~TfRecordFile() {
  if (file_ >= 0) ::close(file_);
}

TfRecordFile::TfRecordFile(TfRecordFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      bytes_(other.bytes_),
      records_(std::move(other.records_)) {}

void TfRecordFile::open() {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0)
    cluster::throw_environment(path_.string() + ": cannot be opened (" +
                               cluster::errno_text(errno) + ")");
  struct stat info {};
  if (::fstat(file_, &info) == 0 && S_ISREG(info.st_mode))
    bytes_ = static_cast<std::uint64_t>(info.st_size);
}

void TfRecordFile::read(std::uint64_t at, char* out, std::size_t count) const {
  while (count > 0) {
    const ssize_t got = ::pread(file_, out, count, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      cluster::throw_environment(
          path_.string() + ": cannot be read at byte " + std::to_string(at) + " (" +
          (got < 0 ? cluster::errno_text(errno) : "it has become shorter") + ")");
    }
    at += static_cast<std::uint64_t>(got);
    out += got;
    count -= static_cast<std::size_t>(got);
  }
}

void TfRecordFile::scan() {
  std::uint64_t at = 0;
  while (at < bytes_) {
    char header[kHeaderBytes] = {};
    const std::uint64_t left = bytes_ - at;
    if (left >= kHeaderBytes) read(at, header, sizeof header);
    if (const std::optional<std::string> fault = framing_fault(header, at, left)) {
      cluster::throw_environment(path_.string() + ": record " + std::to_string(records_.size()) +
                                 " at byte " + std::to_string(at) + ": " + *fault);
    }
    const auto length = number_at<std::uint64_t>(header);
    records_.push_back({at, length});
    at += kHeaderBytes + length + kFooterBytes;
  }
}

std::string TfRecordFile::where(std::size_t index) const {
  return path_.string() + ": record " + std::to_string(index) + " at byte " +
         std::to_string(records_.at(index).offset);
}

std::string TfRecordFile::record(std::size_t index) const {
  const RecordPlace& place = records_.at(index);
  std::string bytes(kHeaderBytes + place.length + kFooterBytes, '\0');
  read(place.offset, bytes.data(), bytes.size());
  if (number_at<std::uint64_t>(bytes.data()) != place.length || !checksum_fits(bytes.data(), 8))
    cluster::throw_environment(where(index) + ": checksum of its length is wrong (damaged)");
  if (!checksum_fits(bytes.data() + kHeaderBytes, place.length))
    cluster::throw_environment(where(index) + ": checksum of its data is wrong (damaged)");
  bytes.resize(kHeaderBytes + place.length);
  bytes.erase(0, kHeaderBytes);
  return bytes;
}

}  // namespace marquee::datasets
