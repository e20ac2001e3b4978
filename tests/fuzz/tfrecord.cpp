// TFRecord framing: any bytes are records or one named error.
#include "datasets/tfrecord.h"

#include <cstring>

#include "tests/fuzz/fuzz_input.h"

namespace {

using marquee::datasets::masked_crc32c;

void read_records(const std::string& bytes) {
  marquee::fuzz::expect_answer([&] {
    const marquee::datasets::TfRecordFile file(marquee::fuzz::file_with("shard.tfrecord", bytes));
    for (std::size_t i = 0; i < file.size(); ++i) file.record(i);
  });
}

// The same bytes with right checksums wherever the lengths lead: no mutation finds those by itself.
void repair(std::string& bytes) {
  const auto put_checksum = [&](std::size_t from, std::size_t count) {
    const std::uint32_t crc = masked_crc32c(std::as_bytes(std::span(bytes).subspan(from, count)));
    std::memcpy(bytes.data() + from + count, &crc, sizeof crc);
  };
  for (std::size_t at = 0; bytes.size() - at >= 12;) {
    put_checksum(at, 8);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    if (bytes.size() - at < 16 || length > bytes.size() - at - 16) return;
    put_checksum(at + 12, static_cast<std::size_t>(length));
    at += 16 + static_cast<std::size_t>(length);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(marquee::fuzz::text_of(data, size));
  read_records(bytes);
  repair(bytes);
  read_records(bytes);
  return 0;
}
