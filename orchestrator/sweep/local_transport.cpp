#include "orchestrator/sweep/local_transport.h"

#include <poll.h>

#include "cluster/error.h"

namespace marquee::orchestrator {

void LocalTransport::send(int rank, std::string message) {
  MARQUEE_CHECK(rank == 0, "there is nobody but the coordinator to send to");
  coordinator_.take(message);
}

std::optional<std::pair<int, std::string>> LocalTransport::try_receive() {
  if (to_agent_.empty()) return std::nullopt;
  std::pair<int, std::string> message{0, std::move(to_agent_.front())};
  to_agent_.pop_front();
  return message;
}

std::uint64_t LocalTransport::start_swap(int, int, std::span<const std::byte>,
                                         std::span<std::byte>) {
  cluster::throw_defect("a swap without a partner");
}

bool LocalTransport::swap_done(std::uint64_t) {
  cluster::throw_defect("a swap without a partner");
}

void LocalTransport::wait(double seconds, int fd) {
  constexpr double kMillisecondsPerSecond = 1000.0;
  if (!to_agent_.empty()) return;
  pollfd waiting{fd, POLLIN, 0};  // one of -1 is passed over
  poll(&waiting, 1, static_cast<int>(seconds * kMillisecondsPerSecond) + 1);
}

}  // namespace marquee::orchestrator
