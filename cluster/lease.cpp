#include "cluster/lease.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_lock.h"
#include "cluster/host.h"
#include "cluster/log.h"

namespace marquee::cluster {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxLockBytes = 65536;
constexpr double kShortestStaleSeconds = 10;  // a holder renews at least that often

// Serialises the read-compare-write of the lease between newcomers; the lease itself does not
// depend on it.
class Guard {
 public:
  explicit Guard(const std::filesystem::path& lock) : lock_(lock.string() + ".guard", [] {}) {}

 private:
  FileLock lock_;
};

void write_record(const std::filesystem::path& file, const LeaseRecord& record) {
  const json content{{"host", record.host},
                     {"pid", record.pid},
                     {"process_start", record.process_start},
                     {"sequence", record.sequence},
                     {"epoch", record.epoch},
                     {"released", record.released},
                     {"role", record.role}};
  write_file_durably(file, content.dump() + "\n");
}

bool same_holder(const LeaseRecord& a, const LeaseRecord& b) {
  return a.host == b.host && a.pid == b.pid && a.process_start == b.process_start &&
         a.epoch == b.epoch;
}

std::string takeover_text(const std::filesystem::path& file, const LeaseRecord& holder) {
  return file.string() + " has been taken over by " + describe(holder);
}

[[noreturn]] void refuse(const std::filesystem::path& file, const LeaseRecord& holder) {
  throw Error(ErrorKind::busy, "results folder " + file.parent_path().string() + " is held by " +
                                   describe(holder) + "; wait for it to end, or use another --out");
}

}  // namespace

LeaseRecord read_lease_file(const std::filesystem::path& file) {
  LeaseRecord free;
  free.released = true;
  if (!std::filesystem::exists(file)) return free;
  const json content =
      json::parse(read_file(file, kMaxLockBytes), nullptr, /*allow_exceptions=*/false);
  try {
    return {content.at("host"),       content.at("pid"),   content.at("process_start"),
            content.at("sequence"),   content.at("epoch"), content.at("released"),
            content.value("role", "")};
  } catch (const json::exception&) {
    throw_environment(file.string() +
                      ": is no lease of marquee; remove it when no sweep runs on this folder");
  }
}

LeaseOptions lease_options() {
  LeaseOptions options;
  const char* chosen = std::getenv("MARQUEE_LEASE");
  if (chosen == nullptr || *chosen == '\0') return options;
  int read = 0;
  if (std::sscanf(chosen, "%lf:%lf%n", &options.stale_after_seconds, &options.give_up_after_seconds,
                  &read) != 2 ||
      chosen[read] != '\0' || !(options.stale_after_seconds >= kShortestStaleSeconds) ||
      !(options.give_up_after_seconds >= 0)) {
    throw_usage(std::string("MARQUEE_LEASE is '") + chosen +
                "'; expected STALE:GIVE_UP in seconds, STALE at least " +
                std::to_string(static_cast<int>(kShortestStaleSeconds)));
  }
  return options;
}

std::string describe(const LeaseRecord& holder) {
  return "process " + std::to_string(holder.pid) + " on host " + holder.host + " (epoch " +
         std::to_string(holder.epoch) + ")";
}

double LeaseWatch::still_for(const LeaseRecord& record) {
  const double now = monotonic_seconds();
  if (!seen_ || !(record == *seen_)) {
    moved_ = seen_.has_value();
    seen_ = record;
    since_ = now;
  }
  return now - since_;
}

bool is_here(const LeaseRecord& holder) {
  return holder.host == host_name();
}

bool lives_here(const LeaseRecord& holder) {
  return !holder.released && is_here(holder) && holder.process_start != 0 &&
         process_start_time(static_cast<pid_t>(holder.pid)) == holder.process_start;
}

bool is_free(const LeaseRecord& holder, LeaseWatch& watch, double stale_after_seconds) {
  const double still = watch.still_for(holder);
  if (holder.released) return true;
  return is_here(holder) ? !lives_here(holder) : still >= stale_after_seconds;
}

std::optional<Lease> Lease::try_acquire(const std::filesystem::path& file, LeaseWatch& watch,
                                        double stale_after_seconds, const std::string& role) {
  const Guard guard(file);
  const LeaseRecord holder = read_lease_file(file);
  if (!is_free(holder, watch, stale_after_seconds)) return std::nullopt;
  const LeaseRecord mine{
      host_name(), ::getpid(), process_start_time(::getpid()), 0, holder.epoch + 1, false, role};
  write_record(file, mine);
  return Lease(file, mine, !holder.released && !is_here(holder));
}

Lease Lease::acquire(const std::filesystem::path& results_dir, const LeaseOptions& options) {
  const std::filesystem::path file = results_dir / kLeaseFile;
  const double started = monotonic_seconds();
  LeaseWatch watch;
  for (bool first = true;; first = false) {
    if (auto lease = try_acquire(file, watch, options.stale_after_seconds, options.role))
      return std::move(*lease);
    const LeaseRecord holder = read_lease_file(file);
    if (lives_here(holder) || monotonic_seconds() - started >= options.give_up_after_seconds)
      refuse(file, holder);
    if (first) {
      log_warning("lease", "results folder is held by process " + std::to_string(holder.pid) +
                               " on host " + holder.host +
                               "; waiting to see whether it still lives");
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options.poll_seconds));
  }
}

Lease::Lease(Lease&& other) noexcept
    : file_(std::move(other.file_)),
      record_(std::move(other.record_)),
      taken_over_(other.taken_over_),
      held_(std::exchange(other.held_, false)) {}

Lease::~Lease() {
  try {
    release();
  } catch (const std::exception& error) {
    log_error("lease", error.what());
  }
}

void Lease::renew() {
  const Guard guard(file_);
  const LeaseRecord holder = read_lease_file(file_);
  if (!same_holder(holder, record_)) {
    held_ = false;
    throw Error(ErrorKind::busy, takeover_text(file_, holder));
  }
  ++record_.sequence;
  write_record(file_, record_);
}

void Lease::release() {
  if (!std::exchange(held_, false)) return;
  const Guard guard(file_);
  if (!same_holder(read_lease_file(file_), record_)) return;
  record_.released = true;
  write_record(file_, record_);
}

LeaseRecord read_lease(const std::filesystem::path& results_dir) {
  return read_lease_file(results_dir / kLeaseFile);
}

void LeaseFence::check() const {
  const LeaseRecord holder = read_lease_file(file);
  if (holder.epoch <= epoch) return;
  throw Error(ErrorKind::busy, takeover_text(file, holder) + ": what was begun under epoch " +
                                   std::to_string(epoch) + " no longer counts");
}

}  // namespace marquee::cluster
