// Files that are whole or absent after a crash: written aside, synced, renamed, the folder synced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/descriptor.h"

namespace marquee::cluster {

// Throws environment naming the file (full disk, no permission).
void write_file_durably(const std::filesystem::path& path, std::string_view bytes);

// For files that a library writes (HDF5, SQLite): write staging_path(), then commit(). Without
// commit the staging file is removed. Not thread safe.
class StagedFile {
 public:
  explicit StagedFile(std::filesystem::path final_path);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  const std::filesystem::path& staging_path() const { return staging_; }
  void commit();

 private:
  std::filesystem::path final_, staging_;
  bool committed_ = false;
};

// The same for a file that is written in pieces. Without commit nothing is left. append and commit
// throw environment naming the file. Not thread safe.
class DurableWriter {
 public:
  explicit DurableWriter(const std::filesystem::path& path);
  void append(std::string_view bytes);
  void commit();  // no append after it

 private:
  StagedFile staged_;
  std::optional<Descriptor> file_;
};

void sync_file(const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);
// Creates missing folders and syncs the parents of those it made.
void create_directories_durably(const std::filesystem::path& path);

// Whole content; throws environment when unreadable or larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::uintmax_t max_bytes);

}  // namespace marquee::cluster
