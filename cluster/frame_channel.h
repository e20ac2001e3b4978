// Length-prefixed text frames over a stream descriptor: four bytes little-endian length (at most 16
// MiB), then that many bytes. What agents and trainers talk through. Not thread safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace marquee::cluster {

class FrameChannel {
 public:
  static constexpr std::size_t kMaxFrameBytes = std::size_t{16} << 20;

  explicit FrameChannel(int fd);  // owns it
  FrameChannel(FrameChannel&& other) noexcept;
  FrameChannel& operator=(FrameChannel&& other) noexcept;
  ~FrameChannel();

  // Blocks until all is written. Throws environment when the peer has gone.
  void send(std::string_view frame);
  // The next whole frame, if it has arrived; never blocks. Throws environment when the peer
  // announces more than kMaxFrameBytes.
  std::optional<std::string> try_receive();
  // Blocks; throws environment when the channel ends first.
  std::string receive();
  // The peer has closed and everything whole has been received.
  bool closed() const { return ended_ && !has_frame(); }
  int fd() const { return fd_; }

 private:
  bool has_frame() const;
  std::size_t announced() const;
  // Reads what is there; waits for the first byte when `wait`.
  void fill(bool wait);

  int fd_ = -1;
  bool ended_ = false;
  std::string buffer_;
};

// A connected pair of stream sockets, both closed on exec.
std::pair<int, int> make_socket_pair();

}  // namespace marquee::cluster
