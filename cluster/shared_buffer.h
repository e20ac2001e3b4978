// Memory that a process shares with a child: a memfd whose size is sealed, so that neither side can
// make the other's accesses fail. Movable; the memory stays where it is.
#pragma once

#include <cstddef>
#include <span>

namespace marquee::cluster {

class SharedBuffer {
 public:
  // Zeros; pages take memory once they are written. Throws environment.
  static SharedBuffer create(std::size_t bytes);
  // What the parent created, by the descriptor that was inherited, which is owned from now on.
  // Throws environment for another size and for one that is not sealed.
  static SharedBuffer adopt(int fd, std::size_t bytes);

  SharedBuffer(SharedBuffer&& other) noexcept;
  SharedBuffer& operator=(SharedBuffer&& other) noexcept;
  ~SharedBuffer();

  int fd() const { return fd_; }
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  SharedBuffer(int fd, std::size_t bytes);

  int fd_ = -1;
  std::span<std::byte> bytes_;
};

}  // namespace marquee::cluster
