// A folder that takes its name only when all of it is there.
#pragma once

#include <filesystem>

namespace marquee::cluster {

// Write below path(), then commit(). Without commit, and after a kill at the next try, what was
// written is removed. The files' own bytes are synced by who writes them. Not thread safe.
class StagedFolder {
 public:
  // Throws usage when `final_path` is there already.
  explicit StagedFolder(std::filesystem::path final_path);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::filesystem::path& path() const { return staging_; }
  void commit();

 private:
  std::filesystem::path final_, staging_;
  bool committed_ = false;
};

}  // namespace marquee::cluster
