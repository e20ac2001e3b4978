#include "cluster/descriptor.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {

Descriptor::Descriptor(std::filesystem::path path, int flags)
    : path_(std::move(path)), fd_(::open(path_.c_str(), flags | O_CLOEXEC, 0644)) {
  if (fd_ < 0) fail("cannot be opened");
}

Descriptor::~Descriptor() {
  ::close(fd_);
}

void Descriptor::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) fail("cannot be written");
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Descriptor::sync() const {
  if (::fsync(fd_) != 0) fail("cannot be synced");
}

void Descriptor::fail(std::string_view what) const {
  const int number = errno;
  throw_environment(path_.string() + ": " + std::string(what) + " (" + errno_text(number) + ")");
}

}  // namespace marquee::cluster
