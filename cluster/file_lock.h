// A lock between processes on a file: held until the object goes, or its process.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

namespace marquee::cluster {

class FileLock {
 public:
  enum class Mode { exclusive, shared };

  // Waits for it, calling `waiting` (which may throw to give up) about five times a second. flock:
  // between processes of one host and, on NFS, between hosts; where a file system has no locks it
  // goes on without, so what is guarded must stay right then, or ask held(). Who holds it
  // exclusively may remove the file: whoever waited locks a new one. Throws environment when the
  // file cannot be opened.
  FileLock(const std::filesystem::path& file, const std::function<void()>& waiting,
           Mode mode = Mode::exclusive);
  // Without waiting: nothing where another holds it.
  static std::optional<FileLock> try_lock(const std::filesystem::path& file, Mode mode);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

  // False where the file system has no locks.
  bool held() const { return held_; }

 private:
  FileLock(int fd, bool held) : fd_(fd), held_(held) {}

  int fd_;
  bool held_;
};

}  // namespace marquee::cluster
