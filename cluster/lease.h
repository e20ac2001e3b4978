// The lock of a results folder: who holds it is the writer of the ledger. A lease in the file
// `lock`: host, pid, process start time, sequence number, epoch; every holder takes a higher epoch,
// which fences off agents, trainers and files of earlier ones.
//
// On the same host a dead holder is seen at once and a living one refused at once. Another host's
// lease is taken over when its sequence has stood still for `stale_after` by our own clock; after
// `give_up_after` the newcomer gives up. Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace marquee::cluster {

struct LeaseOptions {
  double stale_after_seconds = 60;
  double give_up_after_seconds = 600;
  double poll_seconds = 1;
};

// The defaults, or what the environment variable MARQUEE_LEASE=STALE:GIVE_UP says, in seconds (for
// tests). Throws usage for anything else, and for less than 10 seconds of standing still.
LeaseOptions lease_options();

struct LeaseRecord {
  std::string host;
  std::int64_t pid = 0;
  std::uint64_t process_start = 0;  // clock ticks since boot
  std::uint64_t sequence = 0;
  std::uint64_t epoch = 0;
  bool released = false;
  bool operator==(const LeaseRecord&) const = default;
};

class Lease {
 public:
  // Throws Error{busy} naming the holder.
  static Lease acquire(const std::filesystem::path& results_dir, const LeaseOptions& options = {});

  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&&) = delete;
  ~Lease();  // releases; problems are logged

  std::uint64_t epoch() const { return record_.epoch; }
  // Raises the sequence; call at least every 10 seconds. Throws Error{busy} when another process
  // has taken the lease over.
  void renew();
  void release();

 private:
  Lease(std::filesystem::path file, LeaseRecord record)
      : file_(std::move(file)), record_(std::move(record)) {}
  std::filesystem::path file_;
  LeaseRecord record_;
  bool held_ = true;
};

// What the lock file says; a missing one reads as released with epoch 0. Throws environment for a
// file that is no lease: it is written whole or not at all, so somebody else put it there.
LeaseRecord read_lease(const std::filesystem::path& results_dir);

}  // namespace marquee::cluster
