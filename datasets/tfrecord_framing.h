// What stands around each record of a TFRecord file. Internal to the tfrecord*.cpp files.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace marquee::datasets {

inline constexpr std::uint64_t kHeaderBytes = 12;  // length and its checksum
inline constexpr std::uint64_t kFooterBytes = 4;   // checksum of the data
inline constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{256} << 20;

// Little-endian, wherever it lies.
template <class Number>
Number number_at(const char* bytes) {
  Number value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Whether the masked CRC-32C of `count` bytes stands behind them.
bool checksum_fits(const char* bytes, std::uint64_t count);

// Why no record begins at `place` of a file, with `left` bytes from there on, the first of which
// are at `header`: kHeaderBytes, which are looked at where so many are left. Nothing where one
// does: its length is in the header.
std::optional<std::string> framing_fault(const char* header, std::uint64_t place,
                                         std::uint64_t left);

}  // namespace marquee::datasets
