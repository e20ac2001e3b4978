// The transport over MPI. After the constructor (MPI_Init and two duplicates of the world) nothing
// here blocks and nothing is collective, so a dead peer can delay nobody. One per process; not
// thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cluster/doorbell.h"
#include "cluster/transport.h"

namespace marquee::cluster {

// "Open MPI v4.1.4"; needs no session.
std::string mpi_library_version();

class MpiSession : public Transport {
 public:
  // Collective: every rank must construct it. A rank whose launcher dies meanwhile is killed.
  MpiSession(int& argc, char**& argv);
  ~MpiSession() override;  // without finalize(): leaves MPI as it is, for mpirun to notice
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  // A message's buffer lives until it has left; progress() frees the buffers of those that have.
  void send(int rank, std::string message) override;
  std::optional<std::pair<int, std::string>> try_receive() override;
  void progress() override;
  std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                           std::span<std::byte> in) override;
  bool swap_done(std::uint64_t swap) override;
  void wait(double seconds, int fd) override;
  bool woken_by_messages() const override { return woken_by_messages_; }
  const std::string& doorbell() const override { return doorbell_.address(); }
  void set_doorbell(int rank, const std::string& address) override;

  // Messages that have not left yet, without swaps.
  std::size_t pending() const;

  // Collective: waits for own messages to leave, then MPI_Finalize. A rank whose launcher dies
  // meanwhile is killed.
  void finalize();
  // Ends every rank; mpirun's exit code is `code`. Ends this rank alone within seconds where the
  // launcher is gone or does not answer.
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
