// Where data lie, and where what is found out about them may be kept.
#pragma once

#include <concepts>
#include <filesystem>
#include <utility>

namespace marquee::datasets {

struct DataFolder {
  std::filesystem::path path;   // TFDS folder, or one of VTAB-1k folders; ignored by drawn tasks
  std::filesystem::path cache;  // of indexes and unpacked archives; empty: nothing is kept

  DataFolder() = default;
  template <std::convertible_to<std::filesystem::path> Path>
  DataFolder(Path&& path_to_data, std::filesystem::path cache_folder = {})
      : path(std::forward<Path>(path_to_data)), cache(std::move(cache_folder)) {}
};

}  // namespace marquee::datasets
