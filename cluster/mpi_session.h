// Small messages between ranks, and swaps of large buffers. After the constructor (MPI_Init and two
// duplicates of the world) nothing here blocks and nothing is collective, so a dead peer can delay
// nobody. One per process; not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cluster/doorbell.h"

namespace marquee::cluster {

class MpiSession {
 public:
  static constexpr std::size_t kMaxMessageBytes = std::size_t{16} << 20;

  // Collective: every rank must construct it. A rank whose launcher dies meanwhile is killed.
  MpiSession(int& argc, char**& argv);
  ~MpiSession();  // without finalize(): leaves MPI as it is, for mpirun to notice
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Starts sending; the buffer lives until the message has left. Order is kept between two ranks.
  void send(int rank, std::string message);
  // Sender and text of the next message that has arrived. Throws environment for one that is too
  // long.
  std::optional<std::pair<int, std::string>> try_receive();
  // Moves messages along and frees the buffers of those that have left.
  void progress();

  // Gives `out` to `rank` and takes as many bytes from it into `in`. Both must start it, with equal
  // sizes and tags (0..kMaxSwapTag), when both are known to: it cannot be taken back, and the
  // memory must stay until it is done. Returns its number.
  static constexpr int kMaxSwapTag = 32'767;
  std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                           std::span<std::byte> in);
  // True once, then the number is forgotten.
  bool swap_done(std::uint64_t swap);
  // Sleeps until something happens, at most `seconds`: a message may have come, or `fd` (-1: none)
  // can be read. Messages of ranks that do not know this one's doorbell, or that live on another
  // host, wake nobody; woken_by_messages() says whether any has so far.
  void wait(double seconds, int fd = -1);
  bool woken_by_messages() const { return woken_by_messages_; }
  const std::string& doorbell() const { return doorbell_.address(); }
  // Messages to `rank` ring from now on.
  void set_doorbell(int rank, const std::string& address);
  // Messages that have not left yet, without swaps.
  std::size_t pending() const;

  // Collective: waits for own messages to leave, then MPI_Finalize. A rank whose launcher dies
  // meanwhile is killed.
  void finalize();
  // Ends every rank; mpirun's exit code is `code`.
  [[noreturn]] void abort(int code);

 private:
  struct State;
  std::unique_ptr<State> state_;
  int rank_ = 0, size_ = 1;
  Doorbell doorbell_;
  bool woken_by_messages_ = false;
  bool awaited_ = false;  // rung, and the message is not here yet
  double rung_ = 0.0;     // monotonic seconds
};

}  // namespace marquee::cluster
