// A lock between processes on a file that stays: held until the object goes, or its process.
#pragma once

#include <filesystem>
#include <functional>

namespace marquee::cluster {

class FileLock {
 public:
  // Waits for it, calling `waiting` (which may throw to give up) about five times a second. flock:
  // between processes of one host and, on NFS, between hosts; where a file system has no locks it
  // goes on without, so what is guarded must stay right then. Throws environment when the file
  // cannot be opened.
  FileLock(const std::filesystem::path& file, const std::function<void()>& waiting);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace marquee::cluster
