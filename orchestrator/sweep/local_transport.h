// A world of two in one process and one thread: an agent (rank 1) and, in place of MPI and the
// coordinator, an object that answers it. Not thread safe.
#pragma once

#include <deque>
#include <string>

#include "cluster/transport.h"

namespace marquee::orchestrator {

// What stands in for rank 0.
class LocalCoordinator {
 public:
  virtual ~LocalCoordinator() = default;
  // A message of the agent.
  virtual void take(const std::string& message) = 0;
  // Called whenever the agent looks for news, about a hundred times a second.
  virtual void look_around() = 0;
};

class LocalTransport : public cluster::Transport {
 public:
  // `coordinator` must outlive it.
  explicit LocalTransport(LocalCoordinator& coordinator) : coordinator_(coordinator) {}

  // What has been told, but not heard, goes: another agent takes over.
  void clear() { to_agent_.clear(); }
  // To the agent.
  void tell(std::string message) { to_agent_.push_back(std::move(message)); }

  int rank() const override { return 1; }
  int size() const override { return 2; }
  void send(int rank, std::string message) override;
  std::optional<std::pair<int, std::string>> try_receive() override;
  void progress() override { coordinator_.look_around(); }
  std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                           std::span<std::byte> in) override;
  bool swap_done(std::uint64_t swap) override;
  void wait(double seconds, int fd) override;
  bool woken_by_messages() const override { return true; }
  const std::string& doorbell() const override { return doorbell_; }
  void set_doorbell(int, const std::string&) override {}

 private:
  LocalCoordinator& coordinator_;
  std::deque<std::string> to_agent_;
  std::string doorbell_;  // nobody rings: both are here
};

}  // namespace marquee::orchestrator
