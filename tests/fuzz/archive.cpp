// Names and contents of zip and tar archives.
#include "datasets/folder_splits.h"
#include "datasets/image_archive.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const auto file = fuzz::file_with("images.zip", fuzz::text_of(data, size));
  const auto cache = file.parent_path() / "cache";
  const std::string error = fuzz::expect_answer([&] {
    const datasets::ImageArchive archive(file, cache);
    for (const std::string& name : archive.names()) archive.bytes(name);
    datasets::split_folder(archive.names(), "images.zip");
  });
  fuzz::count_error(error);
  // The next input may have the same size and time.
  std::filesystem::remove_all(cache);
  return 0;
}
