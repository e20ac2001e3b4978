// dataset_info.json of TFDS, old and new.
#include "datasets/tfds_folder.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const auto file = fuzz::file_with("dataset_info.json", fuzz::text_of(data, size));
  fuzz::expect_answer([&] {
    const auto folder =
        datasets::read_tfds_folder(datasets::find_task("eurosat"), file.parent_path());
    for (const auto& [name, split] : folder.splits)
      for (const auto& shard : split.files)
        if (shard.parent_path() != folder.path) __builtin_trap();  // no file outside the folder
  });
  return 0;
}
