// TFRecord files: length, masked CRC-32C of the length, bytes, masked CRC-32C of the bytes. Every
// length is checked before it is believed, every checksum before the bytes are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

namespace marquee::datasets {

// CRC-32C masked as TFRecord stores it.
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

// Appends one record; the stream's state says whether it could be written.
void write_record(std::ostream& out, std::string_view payload);

// One memory-mapped file. Thread safe for reading; the spans live as long as the object.
class TfRecordFile {
 public:
  // Scans the framing (lengths and their checksums), not the payloads. Throws environment naming
  // file, record number and offset when a record is cut off, a length checksum is wrong, or a
  // record is larger than 256 MiB.
  explicit TfRecordFile(std::filesystem::path path);
  ~TfRecordFile();
  TfRecordFile(TfRecordFile&& other) noexcept;
  TfRecordFile& operator=(TfRecordFile&&) = delete;

  std::size_t size() const { return records_.size(); }
  const std::filesystem::path& path() const { return path_; }
  // Payload of record `index`, its checksum verified. Throws environment when it does not match.
  std::span<const std::byte> record(std::size_t index) const;
  // "file: record 3 at byte 477", for messages.
  std::string where(std::size_t index) const;

 private:
  struct Record {
    std::uint64_t offset;  // of the length field
    std::uint64_t length;  // of the payload
  };
  void scan();

  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<Record> records_;
};

}  // namespace marquee::datasets
