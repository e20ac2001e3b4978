#include "cluster/shared_buffer.h"

#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

SharedBuffer::SharedBuffer(int fd, std::size_t bytes) : fd_(fd) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    const int reason = errno;
    close(fd);
    throw_environment("shared memory of " + std::to_string(bytes) +
                      " bytes: " + errno_text(reason));
  }
  bytes_ = {static_cast<std::byte*>(memory), bytes};
}

SharedBuffer SharedBuffer::create(std::size_t bytes) {
  const int fd = memfd_create("marquee", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw_environment("shared memory: " + errno_text(errno));
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0 || fcntl(fd, F_ADD_SEALS, kSeals) != 0) {
    const int reason = errno;
    close(fd);
    throw_environment("shared memory of " + std::to_string(bytes) +
                      " bytes: " + errno_text(reason));
  }
  return {fd, bytes};
}

SharedBuffer SharedBuffer::adopt(int fd, std::size_t bytes) {
  struct stat found {};
  const bool fits = fstat(fd, &found) == 0 && found.st_size == static_cast<off_t>(bytes) &&
                    (fcntl(fd, F_GET_SEALS) & kSeals) == kSeals;
  if (!fits) {
    close(fd);
    throw_environment("descriptor " + std::to_string(fd) + " is no shared memory of " +
                      std::to_string(bytes) + " bytes");
  }
  return {fd, bytes};
}

SharedBuffer::SharedBuffer(SharedBuffer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), bytes_(std::exchange(other.bytes_, {})) {}

SharedBuffer& SharedBuffer::operator=(SharedBuffer&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedBuffer::~SharedBuffer() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
  if (fd_ >= 0) close(fd_);
}

}  // namespace marquee::cluster
