// A library that looks like NCCL to those who open it, for machines without GPUs: ranks are threads
// or processes of one machine, streams are HostStreams, and transfers are files of a folder that is
// named after the id. Every call may be told to fail, to stay in progress, to be late or never to
// end. A rank that aborts leaves the others waiting, as NCCL's may.
//
// The script, in MARQUEE_FAKE_NCCL or by fake_nccl_script(): entries of "rank:point:at:what",
// separated by commas. point: id, init, group_start, send, recv, group_end, all_gather,
// async_error, finalize, destroy; at: its how manieth call of that rank, from 1 (0: each); what:
//   error     the call fails
//   remote    the call is taken in, then the communicator is told of a remote error
//   hang      the call stays in progress for ever
//   stuck     the call is taken in and its work never ends
//   slow      the call stays in progress for a while
//   late      its work begins after a while
//   kill      SIGKILL to this process
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "workers/gang/host_stream_handle.h"
#include "workers/gang/nccl_abi.h"

namespace fs = std::filesystem;
namespace abi = marquee::workers::nccl;

namespace {

constexpr int kVersion = 22809;
constexpr int kSlowPolls = 20;
constexpr auto kLate = std::chrono::milliseconds(200);
constexpr auto kLook = std::chrono::microseconds(200);

struct Entry {
  int rank = 0;
  std::string point;
  int at = 0;
  std::string what;
};

std::mutex mutex;  // of what follows
std::vector<Entry> script;
std::map<std::pair<int, std::string>, int> calls;  // by rank and point, of this process

void set_script(const std::string& text) {
  script.clear();
  calls.clear();
  std::istringstream entries(text);
  for (std::string entry; std::getline(entries, entry, ',');) {
    std::istringstream words(entry);
    std::string rank, at;
    Entry parsed;
    std::getline(words, rank, ':');
    std::getline(words, parsed.point, ':');
    std::getline(words, at, ':');
    std::getline(words, parsed.what, ':');
    parsed.rank = std::atoi(rank.c_str());
    parsed.at = std::atoi(at.c_str());
    script.push_back(parsed);
  }
}

const bool told = [] {
  const char* text = std::getenv("MARQUEE_FAKE_NCCL");
  if (text != nullptr) set_script(text);
  return true;
}();

// Counts the call; what is to happen with it.
std::string fate(int rank, const std::string& point) {
  std::string what;
  {
    const std::lock_guard lock(mutex);
    const int call = ++calls[{rank, point}];
    for (const Entry& entry : script)
      if (entry.rank == rank && entry.point == point && (entry.at == 0 || entry.at == call))
        what = entry.what;
  }
  if (what == "kill") std::raise(SIGKILL);
  return what;
}

fs::path folder_of(const abi::UniqueId& id) {
  const char* named = std::getenv("MARQUEE_FAKE_NCCL_DIR");
  const fs::path parent = named != nullptr ? fs::path(named) : fs::temp_directory_path();
  return parent / ("fake-nccl-" + std::string(id.bytes, strnlen(id.bytes, sizeof id.bytes)));
}

void write_whole(const fs::path& file, const void* bytes, std::size_t size) {
  const fs::path aside = file.string() + ".part";
  std::ofstream(aside, std::ios::binary)
      .write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  fs::rename(aside, file);
}

}  // namespace

// Lives until the process ends, so that a call after its end is seen.
struct abi::Communicator {
  fs::path folder;
  int rank = 0, size = 0;
  std::atomic<int> standing = abi::kInProgress;
  std::atomic<int> polls_in_progress = 0;  // so many more queries say so
  std::atomic<bool> aborted = false;
  bool ended = false;
  std::map<int, int> sent, received;  // transfers, by peer
  int gathers = 0;
};

namespace {

using abi::Communicator;

// Waits for a file of another rank and reads it; false when aborted meanwhile.
bool read_whole(Communicator& gang, const fs::path& file, void* bytes, std::size_t size) {
  while (!fs::exists(file)) {
    if (gang.aborted) return false;
    std::this_thread::sleep_for(kLook);
  }
  std::ifstream input(file, std::ios::binary);
  input.read(static_cast<char*>(bytes), static_cast<std::streamsize>(size));
  if (input.gcount() != static_cast<std::streamsize>(size)) gang.standing = abi::kInvalidUsage;
  return true;
}

void wait_for_abort(const Communicator& gang) {
  while (!gang.aborted) std::this_thread::sleep_for(kLook);
}

// What a call returns, and what becomes of the communicator.
int answer(Communicator& gang, const std::string& what) {
  if (what == "error") return abi::kSystemError;
  if (what == "remote") gang.standing = abi::kRemoteError;
  if (what == "hang") gang.standing = abi::kInProgress;
  if (what == "slow") gang.polls_in_progress = kSlowPolls;
  return what == "hang" || what == "slow" ? abi::kInProgress : abi::kSuccess;
}

bool usable(Communicator* gang) {
  if (gang != nullptr && !gang->ended) return true;
  const std::lock_guard lock(mutex);
  ++calls[{gang == nullptr ? -1 : gang->rank, "misuse"}];
  return false;
}

// Work of a stream that is given as a C function.
void give(void* stream, std::function<void()> work) {
  const auto* handle = static_cast<const HostStreamHandle*>(stream);
  handle->give(
      handle->stream,
      [](void* argument) {
        const std::unique_ptr<std::function<void()>> own(
            static_cast<std::function<void()>*>(argument));
        (*own)();
      },
      new std::function<void()>(std::move(work)));
}

// As `work`, or what a script makes of it.
void give(Communicator& gang, void* stream, const std::string& what, std::function<void()> work) {
  give(stream, [&gang, what, work = std::move(work)] {
    if (what == "late") std::this_thread::sleep_for(kLate);
    if (what == "stuck" || what == "hang") {
      wait_for_abort(gang);
    } else if (!gang.aborted) {
      work();
    }
  });
}

// Between group_start and group_end of this thread.
struct Part {
  bool sends = false;
  void* bytes = nullptr;
  std::size_t size = 0;
  int peer = 0;
  Communicator* gang = nullptr;
  void* stream = nullptr;
  std::string what;
};
thread_local std::vector<Part> group;

int group_part(bool sends, const void* bytes, std::size_t count, int peer, Communicator* gang,
               void* stream) {
  if (!usable(gang)) return abi::kInvalidUsage;
  const std::string what = fate(gang->rank, sends ? "send" : "recv");
  if (what == "error") return abi::kSystemError;
  group.push_back(
      {sends, const_cast<void*>(bytes), count * sizeof(float), peer, gang, stream, what});
  return abi::kSuccess;
}

}  // namespace

extern "C" {

void fake_nccl_script(const char* text) {
  const std::lock_guard lock(mutex);
  set_script(text);
}

// Calls so far; point "misuse": of communicators that had ended, "abort": aborts.
int fake_nccl_calls(int rank, const char* point) {
  const std::lock_guard lock(mutex);
  const auto found = calls.find({rank, point});
  return found == calls.end() ? 0 : found->second;
}

int ncclGetVersion(int* version) {
  *version = kVersion;
  return abi::kSuccess;
}

const char* ncclGetErrorString(int result) {
  switch (result) {
    case abi::kSystemError:
      return "unhandled system error (fake)";
    case abi::kRemoteError:
      return "remote process exited or there was a network error (fake)";
    case abi::kInvalidUsage:
      return "invalid usage (fake)";
    default:
      return "another error (fake)";
  }
}

int ncclGetUniqueId(abi::UniqueId* id) {
  if (fate(0, "id") == "error") return abi::kSystemError;
  std::random_device random;
  std::memset(id->bytes, 0, sizeof id->bytes);
  std::snprintf(id->bytes, sizeof id->bytes, "%08x%08x", random(), random());
  return abi::kSuccess;
}

int ncclCommInitRankConfig(Communicator** made, int size, abi::UniqueId id, int rank,
                           abi::Config* config) {
  const std::string what = fate(rank, "init");
  if (what == "error" || config->blocking != 0) return abi::kSystemError;
  auto* gang = new Communicator;
  *made = gang;
  gang->folder = folder_of(id);
  gang->rank = rank;
  gang->size = size;
  fs::create_directories(gang->folder);
  if (what == "hang") return abi::kInProgress;
  std::thread([gang, what] {
    if (what == "late") std::this_thread::sleep_for(kLate);
    write_whole(gang->folder / ("joined-" + std::to_string(gang->rank)), "", 0);
    for (int peer = 0; peer < gang->size; ++peer)
      if (!read_whole(*gang, gang->folder / ("joined-" + std::to_string(peer)), nullptr, 0)) return;
    gang->standing = what == "remote" ? abi::kRemoteError : abi::kSuccess;
  }).detach();
  return abi::kInProgress;
}

int ncclCommGetAsyncError(Communicator* gang, int* standing) {
  if (!usable(gang)) return abi::kInvalidUsage;
  if (fate(gang->rank, "async_error") == "error") return abi::kSystemError;
  *standing = gang->standing;
  if (gang->polls_in_progress > 0 && *standing == abi::kSuccess) {
    --gang->polls_in_progress;
    *standing = abi::kInProgress;
  }
  return abi::kSuccess;
}

int ncclGroupStart() {
  group.clear();
  return abi::kSuccess;
}

int ncclSend(const void* bytes, std::size_t count, int, int peer, Communicator* gang,
             void* stream) {
  return group_part(true, bytes, count, peer, gang, stream);
}

int ncclRecv(void* bytes, std::size_t count, int, int peer, Communicator* gang, void* stream) {
  return group_part(false, bytes, count, peer, gang, stream);
}

int ncclGroupEnd() {
  const std::vector<Part> parts = std::exchange(group, {});
  if (parts.empty()) return abi::kSuccess;
  Communicator& gang = *parts.front().gang;
  std::string what = fate(gang.rank, "group_end");
  for (const Part& part : parts)
    if (!part.what.empty()) what = part.what;
  const int result = answer(gang, what);
  if (result == abi::kSystemError) return result;
  give(gang, parts.front().stream, what, [&gang, parts] {
    const auto name = [](int from, int to, int number) {
      return "sent-" + std::to_string(from) + "-" + std::to_string(to) + "-" +
             std::to_string(number);
    };
    for (const Part& part : parts) {
      if (part.sends)
        write_whole(gang.folder / name(gang.rank, part.peer, gang.sent[part.peer]++), part.bytes,
                    part.size);
    }
    for (const Part& part : parts) {
      if (part.sends) continue;
      const fs::path file = gang.folder / name(part.peer, gang.rank, gang.received[part.peer]++);
      if (!read_whole(gang, file, part.bytes, part.size)) return;
      fs::remove(file);
    }
  });
  return result;
}

int ncclAllGather(const void* mine, void* all, std::size_t count, int, Communicator* gang,
                  void* stream) {
  if (!usable(gang)) return abi::kInvalidUsage;
  const std::string what = fate(gang->rank, "all_gather");
  const int result = answer(*gang, what);
  if (result == abi::kSystemError) return result;
  give(*gang, stream, what, [gang, mine, all, size = count * sizeof(float)] {
    const int number = gang->gathers++;
    const auto name = [&](int rank) {
      return "gathered-" + std::to_string(rank) + "-" + std::to_string(number);
    };
    write_whole(gang->folder / name(gang->rank), mine, size);
    for (int peer = 0; peer < gang->size; ++peer) {
      if (!read_whole(*gang, gang->folder / name(peer), static_cast<char*>(all) + peer * size,
                      size))
        return;
    }
    // All have begun this one, so nobody reads the one before any more.
    if (number > 0)
      fs::remove(gang->folder /
                 ("gathered-" + std::to_string(gang->rank) + "-" + std::to_string(number - 1)));
  });
  return result;
}

int ncclCommFinalize(Communicator* gang) {
  if (!usable(gang)) return abi::kInvalidUsage;
  return answer(*gang, fate(gang->rank, "finalize"));
}

int ncclCommDestroy(Communicator* gang) {
  if (!usable(gang)) return abi::kInvalidUsage;
  const std::string what = fate(gang->rank, "destroy");
  gang->ended = true;
  std::ofstream(gang->folder / ("left-" + std::to_string(gang->rank)));
  bool last = true;
  for (int peer = 0; peer < gang->size; ++peer)
    last = last && fs::exists(gang->folder / ("left-" + std::to_string(peer)));
  std::error_code ignored;
  if (last) fs::remove_all(gang->folder, ignored);
  return what == "error" ? abi::kSystemError : abi::kSuccess;
}

int ncclCommAbort(Communicator* gang) {
  if (!usable(gang)) return abi::kInvalidUsage;
  {
    const std::lock_guard lock(mutex);
    ++calls[{gang->rank, "abort"}];
  }
  gang->aborted = true;
  gang->ended = true;
  return abi::kSuccess;
}

}  // extern "C"
