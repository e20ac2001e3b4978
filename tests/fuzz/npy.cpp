// One array of an npz archive: what is read has the bytes that its shape takes.
#include "tests/fuzz/fuzz_input.h"
#include "workers/weight_files/npz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  workers::NpyArray array;
  fuzz::count_error(fuzz::expect_answer(
      [&] { array = workers::parse_npy(std::string(fuzz::text_of(data, size)), "array"); }));
  if (!array.memory) return 0;
  if (workers::size_bytes(array.tensor) != array.tensor.parts.front().size()) __builtin_trap();
  return 0;
}
