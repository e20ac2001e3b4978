#include "cluster/file_lock.h"

#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {

FileLock::FileLock(const std::filesystem::path& file, const std::function<void()>& waiting)
    : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (fd_ < 0) throw_environment(file.string() + ": cannot be opened (" + errno_text(errno) + ")");
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return;
    try {
      waiting();
    } catch (...) {
      ::close(fd_);
      throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

FileLock::~FileLock() {
  ::close(fd_);
}

}  // namespace marquee::cluster
