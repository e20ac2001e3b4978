#include "cluster/frame_channel.h"

#include <array>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

constexpr std::size_t kPrefixBytes = 4;

}  // namespace

FrameChannel::FrameChannel(int fd) : fd_(fd) {
  MARQUEE_CHECK(fd >= 0, "a channel needs a descriptor");
}
FrameChannel::FrameChannel(FrameChannel&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ended_(other.ended_), buffer_(std::move(other.buffer_)) {}
FrameChannel& FrameChannel::operator=(FrameChannel&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(ended_, other.ended_);
  std::swap(buffer_, other.buffer_);
  return *this;
}
FrameChannel::~FrameChannel() {
  if (fd_ >= 0) ::close(fd_);
}

void FrameChannel::send(std::string_view frame) {
  MARQUEE_CHECK(frame.size() <= kMaxFrameBytes,
                "frame of " + std::to_string(frame.size()) + " bytes is too long to send");
  std::string bytes;
  for (std::size_t i = 0; i < kPrefixBytes; ++i)
    bytes += static_cast<char>((frame.size() >> (8 * i)) & 0xFF);
  bytes += frame;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EINTR) {
      throw_environment("the control channel's other end has gone (" + errno_text(errno) + ")");
    }
  }
}

std::size_t FrameChannel::announced() const {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) {
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(buffer_[i])) << (8 * i);
  }
  return length;
}

bool FrameChannel::has_frame() const {
  return buffer_.size() >= kPrefixBytes && buffer_.size() - kPrefixBytes >= announced();
}

void FrameChannel::fill(bool wait) {
  std::array<char, 65536> chunk;
  const ssize_t got = ::recv(fd_, chunk.data(), chunk.size(), wait ? 0 : MSG_DONTWAIT);
  if (got > 0) buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  if (got == 0) ended_ = true;
  if (got < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) ended_ = true;
  if (buffer_.size() >= kPrefixBytes && announced() > kMaxFrameBytes) {
    throw_environment("the control channel announces a frame of " + std::to_string(announced()) +
                      " bytes; at most " + std::to_string(kMaxFrameBytes) + " are allowed");
  }
}

std::optional<std::string> FrameChannel::try_receive() {
  // One read a call keeps a flood from starving the caller.
  if (!has_frame() && !ended_) fill(/*wait=*/false);
  if (!has_frame()) return std::nullopt;
  const std::size_t length = announced();
  std::string frame = buffer_.substr(kPrefixBytes, length);
  buffer_.erase(0, kPrefixBytes + length);
  if (buffer_.size() >= kPrefixBytes && announced() > kMaxFrameBytes) fill(/*wait=*/false);
  return frame;
}

std::string FrameChannel::receive() {
  while (!has_frame() && !ended_) fill(/*wait=*/true);
  std::optional<std::string> frame = try_receive();
  if (!frame) throw_environment("the control channel has ended");
  return *std::move(frame);
}

std::pair<int, int> make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    throw_environment("no socket pair: " + errno_text(errno));
  }
  return {fds[0], fds[1]};
}

}  // namespace marquee::cluster
