// A cache of indexes that goes with its owner, for commands that open several splits of one set.
#pragma once

#include <filesystem>

namespace marquee::datasets {

class ScratchCache {
 public:
  // Makes a folder among the system's temporary ones; path() is empty where that is not possible.
  ScratchCache();
  ~ScratchCache();
  ScratchCache(const ScratchCache&) = delete;
  ScratchCache& operator=(const ScratchCache&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace marquee::datasets
