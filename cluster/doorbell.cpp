#include "cluster/doorbell.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

constexpr int kRingsAtOnce = 16;

// Of the kernel that the names of sockets belong to; "<boot id>/<network namespace>/".
const std::string& this_kernel() {
  static const std::string kKernel = [] {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    std::error_code error;
    const std::string space = std::filesystem::read_symlink("/proc/self/ns/net", error).string();
    return boot + "/" + space + "/";
  }();
  return kKernel;
}

}  // namespace

Doorbell::Doorbell() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socklen_t size = sizeof name.sun_family;  // no name: the kernel chooses one (unix(7), autobind)
  bool bound = fd_ >= 0 && ::bind(fd_, reinterpret_cast<sockaddr*>(&name), size) == 0;
  size = sizeof name;
  bound = bound && ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size) == 0;
  const std::size_t start = offsetof(sockaddr_un, sun_path) + 1;  // behind the leading NUL
  if (!bound || size <= start) {
    const std::string reason = errno_text(errno);
    if (fd_ >= 0) ::close(fd_);
    throw_environment("no socket to be woken by (" + reason + ")");
  }
  address_ = this_kernel() + std::string(name.sun_path + 1, size - start);
}

Doorbell::~Doorbell() {
  ::close(fd_);
}

void Doorbell::ring(const std::string& address) const {
  if (!address.starts_with(this_kernel())) return;
  const std::string_view chosen = std::string_view(address).substr(this_kernel().size());
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (chosen.empty() || chosen.size() >= sizeof name.sun_path) return;
  std::memcpy(name.sun_path + 1, chosen.data(), chosen.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + chosen.size());
  // A full queue wakes as well.
  ::sendto(fd_, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&name), size);
}

bool Doorbell::answer() const {
  bool rung = false;
  std::array<char, 1> nothing{};
  for (int i = 0;
       i < kRingsAtOnce && ::recv(fd_, nothing.data(), nothing.size(), MSG_DONTWAIT) >= 0; ++i)
    rung = true;
  return rung;
}

}  // namespace marquee::cluster
