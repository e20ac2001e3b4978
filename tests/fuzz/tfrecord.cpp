// TFRecord framing: any bytes are records or one named error.
#include "datasets/tfrecord.h"

#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  marquee::fuzz::expect_answer([&] {
    const marquee::datasets::TfRecordFile file(
        marquee::fuzz::file_with("shard.tfrecord", data, size));
    for (std::size_t i = 0; i < file.size(); ++i) file.record(i);
  });
  return 0;
}
