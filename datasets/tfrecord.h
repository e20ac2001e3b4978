// TFRecord files: length, masked CRC-32C of the length, bytes, masked CRC-32C of the bytes. Every
// length is checked before it is believed, every checksum before the bytes are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace marquee::datasets {

// CRC-32C masked as TFRecord stores it.
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

// Appends one record; the stream's state says whether it could be written.
void write_record(std::ostream& out, std::string_view payload);

// Where one record lies in its file.
struct RecordPlace {
  std::uint64_t offset = 0;  // of the length field
  std::uint64_t length = 0;  // of the payload
  bool operator==(const RecordPlace&) const = default;
};

// One file, read record by record: at no time is more than one in memory. Thread safe for reading.
class TfRecordFile {
 public:
  // Scans the framing (lengths and their checksums), not the payloads. Throws environment naming
  // file, record number and offset when a record is cut off, a length checksum is wrong, or a
  // record is larger than 256 MiB.
  explicit TfRecordFile(std::filesystem::path path);
  // Takes the places from an index that was made for this very file; every record's framing is
  // checked again when it is read.
  TfRecordFile(std::filesystem::path path, std::vector<RecordPlace> places);
  ~TfRecordFile();
  TfRecordFile(TfRecordFile&& other) noexcept;
  TfRecordFile& operator=(TfRecordFile&&) = delete;

  std::size_t size() const { return records_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }
  const std::vector<RecordPlace>& places() const { return records_; }
  // Payload of record `index`, its checksum verified. Throws environment when it does not match.
  std::string record(std::size_t index) const;
  // "file: record 3 at byte 477", for messages.
  std::string where(std::size_t index) const;

 private:
  void open();
  void scan();
  // Reads exactly `count` bytes at `at`; throws environment when the file has become shorter.
  void read(std::uint64_t at, char* out, std::size_t count) const;

  std::filesystem::path path_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
  std::vector<RecordPlace> records_;
};

}  // namespace marquee::datasets
