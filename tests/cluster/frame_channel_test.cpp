#include "cluster/frame_channel.h"

#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

struct Pair {
  explicit Pair(std::pair<int, int> fds = make_socket_pair())
      : left(fds.first), right(fds.second) {}
  FrameChannel left, right;
};

// A channel at whose other end bytes are written by hand.
struct Raw {
  explicit Raw(std::pair<int, int> fds = make_socket_pair()) : channel(fds.first), fd(fds.second) {}
  ~Raw() { end(); }
  void write_bytes(const std::string& bytes) const {
    ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void end() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  FrameChannel channel;
  int fd;
};

TEST(FrameChannel, CarriesFramesInOrder) {
  Pair pair;
  for (const char* frame : {"one", "", "three"}) pair.left.send(frame);
  EXPECT_EQ(pair.right.receive(), "one");
  EXPECT_EQ(pair.right.receive(), "");
  EXPECT_EQ(pair.right.try_receive(), "three");
  EXPECT_EQ(pair.right.try_receive(), std::nullopt);
}

TEST(FrameChannel, CarriesAFrameLargerThanTheSocketsBuffer) {
  Pair pair;
  const std::string large(std::size_t{3} << 20, 'x');
  std::thread sender([&] { pair.left.send(large); });
  EXPECT_EQ(pair.right.receive(), large);
  sender.join();
}

TEST(FrameChannel, WaitsForTheRestOfASplitFrame) {
  Raw raw;
  raw.write_bytes(std::string("\x04\0", 2));
  EXPECT_EQ(raw.channel.try_receive(), std::nullopt);
  raw.write_bytes(std::string("\0\0ab", 4));
  EXPECT_EQ(raw.channel.try_receive(), std::nullopt);
  raw.write_bytes("cd");
  EXPECT_EQ(raw.channel.try_receive(), "abcd");
}

TEST(FrameChannel, RefusesAnAnnouncementAboveTheLimit) {
  Raw raw;
  raw.write_bytes("\xff\xff\xff\xff");
  EXPECT_THROW(raw.channel.try_receive(), Error);
}

TEST(FrameChannel, TheLimitItselfIsStillAnnounced) {
  static_assert(FrameChannel::kMaxFrameBytes == 0x01000000);
  Raw allowed, refused;
  allowed.write_bytes(std::string("\0\0\0\x01", 4));
  EXPECT_EQ(allowed.channel.try_receive(), std::nullopt);
  refused.write_bytes(std::string("\x01\0\0\x01", 4));
  EXPECT_THROW(refused.channel.try_receive(), Error);
}

TEST(FrameChannel, DoesNotSendMoreThanItsPeerWouldTake) {
  Pair pair;
  EXPECT_THROW(pair.left.send(std::string(FrameChannel::kMaxFrameBytes + 1, 'x')), Error);
  EXPECT_EQ(pair.right.try_receive(), std::nullopt);
}

TEST(FrameChannel, AFrameCutOffByTheEndIsNotGiven) {
  Raw raw;
  raw.write_bytes(std::string("\x05\0\0\0abc", 7));
  raw.end();
  EXPECT_THROW(raw.channel.receive(), Error);
  EXPECT_TRUE(raw.channel.closed());
}

TEST(FrameChannel, CarriesEveryByteValue) {
  Pair pair;
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  pair.left.send(bytes);
  EXPECT_EQ(pair.right.receive(), bytes);
}

TEST(FrameChannel, ClosesItsDescriptorWithItsOwner) {
  const auto [left, right] = make_socket_pair();
  { const FrameChannel channel(left); }
  FrameChannel peer(right);
  EXPECT_EQ(peer.try_receive(), std::nullopt);
  EXPECT_TRUE(peer.closed());
}

TEST(FrameChannel, GivesWhatArrivedBeforeTheEnd) {
  Raw raw;
  raw.write_bytes(std::string("\x01\0\0\0z", 5));
  raw.end();
  EXPECT_EQ(raw.channel.try_receive(), "z");
  EXPECT_EQ(raw.channel.try_receive(), std::nullopt);
  EXPECT_TRUE(raw.channel.closed());
  EXPECT_THROW(raw.channel.receive(), Error);
}

TEST(FrameChannel, ThrowsWhenThePeerHasGone) {
  Raw raw;
  raw.end();
  EXPECT_THROW(
      {
        for (int i = 0; i < 3; ++i) raw.channel.send("anyone there?");
      },
      Error);
}

}  // namespace
}  // namespace marquee::cluster
