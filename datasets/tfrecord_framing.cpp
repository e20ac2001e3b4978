#include "datasets/tfrecord_framing.h"

#include <span>

#include "datasets/tfrecord.h"

namespace marquee::datasets {

bool checksum_fits(const char* bytes, std::uint64_t count) {
  return masked_crc32c(std::as_bytes(std::span(bytes, count))) ==
         number_at<std::uint32_t>(bytes + count);
}

std::optional<std::string> framing_fault(const char* header, std::uint64_t place,
                                         std::uint64_t left) {
  if (left < kHeaderBytes)
    return "truncated: " + std::to_string(left) + " bytes left where a header of 12 begins";
  const auto length = number_at<std::uint64_t>(header);
  if (!checksum_fits(header, sizeof length)) {
    const bool gzip = place == 0 && static_cast<unsigned char>(header[0]) == 0x1f &&
                      static_cast<unsigned char>(header[1]) == 0x8b;
    return gzip ? "checksum of its length is wrong: the file is compressed with gzip"
                : "checksum of its length is wrong (damaged, or not a TFRecord file)";
  }
  if (left < kHeaderBytes + kFooterBytes || length > left - kHeaderBytes - kFooterBytes)
    return "truncated: " + std::to_string(length) + " bytes of data declared, the file ends before";
  if (length > kMaxRecordBytes)
    return "length " + std::to_string(length) + " is more than the " +
           std::to_string(kMaxRecordBytes) + " bytes allowed";
  return std::nullopt;
}

}  // namespace marquee::datasets
