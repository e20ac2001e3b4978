// The older form of torch.save: no program of the pickle runs, and tensors lie inside the file.
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/weights.h"
#include "workers/weight_files/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const std::string_view bytes = fuzz::text_of(data, size);
  workers::WeightFile read;
  fuzz::count_error(
      fuzz::expect_answer([&] { read = workers::parse_torch_pickles(bytes, "weights"); }));
  fuzz::check_weights(read, bytes);
  return 0;
}
