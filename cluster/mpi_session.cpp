#include "cluster/mpi_session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <list>
#include <map>
#include <thread>

#include <mpi.h>
#include <poll.h>
#include <unistd.h>

#include "cluster/die_with_parent.h"
#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::cluster {
namespace {

constexpr int kTag = 1;
// A message that is on its way: how often it is looked for, and for how long.
constexpr double kOnItsWayNapSeconds = 0.001, kOnItsWaySeconds = 0.05;
constexpr double kSwapNapSeconds = 20e-6;  // MPI moves a swap along when it is asked about it
constexpr unsigned kAbortSeconds = 10;
constexpr std::size_t kMostSwapBytes = std::size_t{1} << 30;

void check(int code, const char* what) {
  MARQUEE_CHECK(code == MPI_SUCCESS, std::string("MPI: ") + what);
}

}  // namespace

struct MpiSession::State {
  struct Outgoing {
    std::string text;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  MPI_Comm world = MPI_COMM_NULL, bulk = MPI_COMM_NULL;
  std::map<std::uint64_t, std::array<MPI_Request, 2>> swaps;
  std::uint64_t next_swap = 1;
  std::list<Outgoing> outgoing;
  std::map<int, std::string> doorbells;  // of other ranks
  bool finalized = false;
  pid_t launcher = 0;  // mpirun's or the scheduler's process on this host
};

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string_view whole(text.data(), static_cast<std::size_t>(length));
  return std::string(whole.substr(0, whole.find_first_of(",\n")));
}

MpiSession::MpiSession(int& argc, char**& argv) : state_(std::make_unique<State>()) {
  // Start and end are collective: without their launcher, ranks would wait there for a minute.
  state_->launcher = ::getppid();
  die_with_parent(state_->launcher);
  check(MPI_Init(&argc, &argv), "init");
  check(MPI_Comm_dup(MPI_COMM_WORLD, &state_->world), "duplicate of the world");
  check(MPI_Comm_dup(MPI_COMM_WORLD, &state_->bulk), "duplicate of the world");
  check(MPI_Comm_rank(state_->world, &rank_), "rank");
  check(MPI_Comm_size(state_->world, &size_), "size");
  outlive_parent();
}

MpiSession::~MpiSession() = default;

void MpiSession::send(int rank, std::string message) {
  MARQUEE_CHECK(message.size() <= kMaxMessageBytes,
                "message of " + std::to_string(message.size()) + " bytes is too long");
  MARQUEE_CHECK(rank >= 0 && rank < size_, "no such rank");
  State::Outgoing& out = state_->outgoing.emplace_back();
  out.text = std::move(message);
  check(MPI_Isend(out.text.data(), static_cast<int>(out.text.size()), MPI_CHAR, rank, kTag,
                  state_->world, &out.request),
        "send");
  if (const auto bell = state_->doorbells.find(rank); bell != state_->doorbells.end())
    doorbell_.ring(bell->second);
}

std::optional<std::pair<int, std::string>> MpiSession::try_receive() {
  int there = 0;
  MPI_Status status;
  check(MPI_Iprobe(MPI_ANY_SOURCE, kTag, state_->world, &there, &status), "probe");
  if (there == 0) return std::nullopt;
  awaited_ = false;
  int bytes = 0;
  check(MPI_Get_count(&status, MPI_CHAR, &bytes), "count");
  if (bytes < 0 || static_cast<std::size_t>(bytes) > kMaxMessageBytes) {
    throw_environment("rank " + std::to_string(status.MPI_SOURCE) + " sent a message of " +
                      std::to_string(bytes) + " bytes");
  }
  std::string text(static_cast<std::size_t>(bytes), '\0');
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Irecv(text.data(), bytes, MPI_CHAR, status.MPI_SOURCE, kTag, state_->world, &request),
        "receive");
  // The message has been matched; what is missing of it is on its way.
  check(MPI_Wait(&request, MPI_STATUS_IGNORE), "wait for a matched message");
  return std::pair{status.MPI_SOURCE, std::move(text)};
}

void MpiSession::progress() {
  for (auto out = state_->outgoing.begin(); out != state_->outgoing.end();) {
    int done = 0;
    check(MPI_Test(&out->request, &done, MPI_STATUS_IGNORE), "test");
    out = done != 0 ? state_->outgoing.erase(out) : std::next(out);
  }
}

std::uint64_t MpiSession::start_swap(int rank, int tag, std::span<const std::byte> out,
                                     std::span<std::byte> in) {
  MARQUEE_CHECK(rank >= 0 && rank < size_ && rank != rank_ && tag >= 0 && tag <= kMaxSwapTag,
                "swap with no such rank or tag");
  MARQUEE_CHECK(out.size() == in.size() && out.size() <= kMostSwapBytes, "swap of unequal sizes");
  const auto bytes = static_cast<int>(out.size());
  std::array<MPI_Request, 2>& requests = state_->swaps[state_->next_swap];
  check(MPI_Irecv(in.data(), bytes, MPI_BYTE, rank, tag, state_->bulk, &requests[0]), "receive");
  check(MPI_Isend(out.data(), bytes, MPI_BYTE, rank, tag, state_->bulk, &requests[1]), "send");
  return state_->next_swap++;
}

bool MpiSession::swap_done(std::uint64_t swap) {
  const auto found = state_->swaps.find(swap);
  MARQUEE_CHECK(found != state_->swaps.end(), "no such swap");
  int done = 0;
  check(MPI_Testall(2, found->second.data(), &done, MPI_STATUSES_IGNORE), "test");
  if (done == 0) return false;
  state_->swaps.erase(found);
  return true;
}

void MpiSession::wait(double seconds, int fd) {
  const bool on_its_way = awaited_ && monotonic_seconds() - rung_ < kOnItsWaySeconds;
  if (on_its_way || pending() > 0) seconds = std::min(seconds, kOnItsWayNapSeconds);
  if (!state_->swaps.empty()) seconds = std::min(seconds, kSwapNapSeconds);
  std::array<pollfd, 2> waiting{{{doorbell_.fd(), POLLIN, 0}, {fd, POLLIN, 0}}};
  const auto whole = static_cast<std::time_t>(seconds);
  const timespec longest{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  ::ppoll(waiting.data(), waiting.size(), &longest, nullptr);
  if (!doorbell_.answer()) return;
  awaited_ = woken_by_messages_ = true;
  rung_ = monotonic_seconds();
}

void MpiSession::set_doorbell(int rank, const std::string& address) {
  state_->doorbells[rank] = address;
}

std::size_t MpiSession::pending() const {
  return state_->outgoing.size();
}

void MpiSession::finalize() {
  die_with_parent(state_->launcher);
  while (pending() > 0) {
    progress();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  check(MPI_Comm_free(&state_->bulk), "free");
  check(MPI_Comm_free(&state_->world), "free");
  check(MPI_Finalize(), "finalize");
  state_->finalized = true;
}

void MpiSession::abort(int code) {
  // MPI_Abort asks the launcher and waits for its answer, for ever where the launcher dies at that
  // moment or does not answer.
  die_with_parent(state_->launcher);
  ::alarm(kAbortSeconds);
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace marquee::cluster
