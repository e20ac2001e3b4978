#include "cluster/file_lock.h"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

// The file that was locked is the one of this name, and not one that has been removed since.
bool still_named(int fd, const std::filesystem::path& file) {
  struct stat locked {};
  struct stat named {};
  return ::fstat(fd, &locked) == 0 && ::stat(file.c_str(), &named) == 0 &&
         locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

}  // namespace

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& file, Mode mode) {
  const int operation = (mode == Mode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  for (;;) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw_environment(file.string() + ": cannot be opened (" + errno_text(errno) + ")");
    if (::flock(fd, operation) == 0) {
      if (still_named(fd, file)) return FileLock(fd, true);
      ::close(fd);
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return FileLock(fd, false);
    ::close(fd);
    return std::nullopt;
  }
}

FileLock::FileLock(const std::filesystem::path& file, const std::function<void()>& waiting,
                   Mode mode)
    : fd_(-1), held_(false) {
  for (;;) {
    if (std::optional<FileLock> lock = try_lock(file, mode)) {
      fd_ = std::exchange(lock->fd_, -1);
      held_ = lock->held_;
      return;
    }
    waiting();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), held_(other.held_) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace marquee::cluster
