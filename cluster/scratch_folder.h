// A folder of this process for small files, gone with it.
#pragma once

#include <filesystem>

namespace marquee::cluster {

class ScratchFolder {
 public:
  // In the folder for temporary files. Throws environment.
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace marquee::cluster
