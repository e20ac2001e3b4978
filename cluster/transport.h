// What coordinator and agents use to reach each other: small messages between ranks, and swaps of
// large buffers. MPI (mpi_session.h) carries them, or one process does in simulations. Nothing here
// blocks but wait(), for as long as it is told. Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace marquee::cluster {

class Transport {
 public:
  static constexpr std::size_t kMaxMessageBytes = std::size_t{16} << 20;
  static constexpr int kMaxSwapTag = 32'767;

  virtual ~Transport() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Starts sending; order is kept between two ranks.
  virtual void send(int rank, std::string message) = 0;
  // Sender and text of the next message that has arrived. Throws environment for one that is too
  // long.
  virtual std::optional<std::pair<int, std::string>> try_receive() = 0;
  // Moves messages along.
  virtual void progress() = 0;

  // Gives `out` to `rank` and takes as many bytes from it into `in`. Both must start it, with equal
  // sizes and tags (0..kMaxSwapTag), when both are known to: it cannot be taken back, and the
  // memory must stay until it is done. Returns its number.
  virtual std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                                   std::span<std::byte> in) = 0;
  // True once, then the number is forgotten.
  virtual bool swap_done(std::uint64_t swap) = 0;

  // Sleeps until something happens, at most `seconds`: a message may have come, or `fd` (-1: none)
  // can be read. Messages of ranks that do not know this one's doorbell, or that live on another
  // host, wake nobody; woken_by_messages() says whether any has so far.
  virtual void wait(double seconds, int fd) = 0;
  virtual bool woken_by_messages() const = 0;
  virtual const std::string& doorbell() const = 0;
  // Messages to `rank` ring from now on.
  virtual void set_doorbell(int rank, const std::string& address) = 0;
};

}  // namespace marquee::cluster
