// features.json of TFDS.
#include "datasets/tfds_features.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const auto file = fuzz::file_with("features.json", fuzz::text_of(data, size));
  for (const char* task : {"eurosat", "clevr_count", "kitti_closest_vehicle_distance"})
    fuzz::expect_answer(
        [&] { datasets::check_tfds_features(datasets::find_task(task), file.parent_path()); });
  return 0;
}
