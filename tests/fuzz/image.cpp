// Image files of every format.
#include "datasets/decode.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const bool fast : {false, true}) {
    fuzz::expect_answer([&] {
      const datasets::Image image = datasets::decode_image(bytes, {1 << 20, 4096, fast});
      if (image.rgb.size() !=
          static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3)
        __builtin_trap();
    });
  }
  return 0;
}
