// Where data lie, where what is found out about them may be kept, and how they are read.
#pragma once

#include <concepts>
#include <filesystem>
#include <utility>

namespace marquee::datasets {

// What to do with a record that is damaged, or an image that cannot be decoded.
enum class BadRecords {
  refuse,  // throw environment naming its place
  skip     // leave it out of the split; Dataset::skipped() says which
};

struct DataFolder {
  std::filesystem::path path;   // TFDS folder, one of VTAB-1k folders, or one of image folders;
                                // ignored by drawn tasks
  std::filesystem::path cache;  // of indexes and unpacked archives; empty: nothing is kept
  bool fast_dct = false;        // JPEG as TensorFlow decodes it by default (DecodeOptions)
  BadRecords bad_records = BadRecords::refuse;

  DataFolder() = default;
  template <std::convertible_to<std::filesystem::path> Path>
  DataFolder(Path&& path_to_data, std::filesystem::path cache_folder = {})
      : path(std::forward<Path>(path_to_data)), cache(std::move(cache_folder)) {}
};

}  // namespace marquee::datasets
