// Checkpoints of flax.serialization.
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/weights.h"
#include "workers/weight_files/flax_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const std::string_view bytes = fuzz::text_of(data, size);
  workers::WeightFile read;
  fuzz::count_error(fuzz::expect_answer([&] { read = workers::parse_flax(bytes, "weights"); }));
  fuzz::check_weights(read, bytes);
  return 0;
}
