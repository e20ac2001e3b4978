// A lease in a file: host, pid, process start time, sequence number, epoch; every holder takes a
// higher epoch, which fences off agents, trainers and files of earlier ones. The file `lock` of a
// results folder is the lease of the ledger's one writer; single runs have leases too
// (experiments/claim.h).
//
// On the same host a dead holder is seen at once and a living one refused at once. Another host's
// lease is taken over when its sequence has stood still for `stale_after` by our own clock; after
// `give_up_after` the newcomer gives up. Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace marquee::cluster {

inline constexpr const char* kLeaseFile = "lock";  // in a results folder

struct LeaseOptions {
  double stale_after_seconds = 60;
  double give_up_after_seconds = 600;
  double poll_seconds = 1;
  std::string role = "";  // what the holder is about: LeaseRecord::role
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
  std::string role{};  // "sweep": a coordinator; may be empty
  bool operator==(const LeaseRecord&) const = default;
};

// "process 17 on host a (epoch 3)".
std::string describe(const LeaseRecord& holder);

// What a newcomer has seen of one lease so far.
class LeaseWatch {
 public:
  // How long the lease has been as it is now, by this process's clock; 0 at the first look.
  double still_for(const LeaseRecord& record);
  // Whether it has changed since the first look: somebody renews it.
  bool has_moved() const { return moved_; }

 private:
  std::optional<LeaseRecord> seen_;
  double since_ = 0.0;
  bool moved_ = false;
};

class Lease {
 public:
  // The lease `lock` of a results folder. Throws Error{busy} naming the holder.
  static Lease acquire(const std::filesystem::path& results_dir, const LeaseOptions& options = {});
  // The lease in `file` without waiting: nothing while its holder may live.
  static std::optional<Lease> try_acquire(const std::filesystem::path& file, LeaseWatch& watch,
                                          double stale_after_seconds, const std::string& role = "");

  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&&) = delete;
  ~Lease();  // releases; problems are logged

  std::uint64_t epoch() const { return record_.epoch; }
  // Whether its last holder was on another host and had not given it back: it may wake up again.
  bool taken_over() const { return taken_over_; }
  // Raises the sequence; call at least every 10 seconds. Throws Error{busy} when another process
  // has taken the lease over.
  void renew();
  void release();

 private:
  Lease(std::filesystem::path file, LeaseRecord record, bool taken_over)
      : file_(std::move(file)), record_(std::move(record)), taken_over_(taken_over) {}
  std::filesystem::path file_;
  LeaseRecord record_;
  bool taken_over_;
  bool held_ = true;
};

// What the lock file says; a missing one reads as released with epoch 0. Throws environment for a
// file that is no lease: it is written whole or not at all, so somebody else put it there.
LeaseRecord read_lease(const std::filesystem::path& results_dir);
LeaseRecord read_lease_file(const std::filesystem::path& file);
// Whether the holder is of this host; and whether it lives, too.
bool is_here(const LeaseRecord& holder);
bool lives_here(const LeaseRecord& holder);
// Whether the lease can be taken: it was given back, or its holder is of this host and dead, or of
// another and has stood still for so long. Looks through `watch`.
bool is_free(const LeaseRecord& holder, LeaseWatch& watch, double stale_after_seconds);

// What work under a lease is held against before it is sealed.
struct LeaseFence {
  std::filesystem::path file;
  std::uint64_t epoch = 0;  // that the work was begun under

  // Throws Error{busy} naming the holder when a later epoch has been taken.
  void check() const;
};

}  // namespace marquee::cluster
