// tf.train.Example: labels under every task's rule, ids, images.
#include <google/protobuf/stubs/logging.h>

#include "datasets/tfds_example.h"
#include "tests/fuzz/fuzz_input.h"

// protobuf writes a line for every text that is no UTF-8.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const std::string record(fuzz::text_of(data, size));
  fuzz::expect_answer([&] {
    const datasets::TfdsExample example(record, "record 0");
    example.id();
    for (const datasets::TaskInfo& task : datasets::all_tasks()) {
      fuzz::expect_answer([&] { example.raw_label(task); });
      fuzz::expect_answer([&] { example.image(task, {1 << 16, 4096, false}); });
    }
  });
  return 0;
}
