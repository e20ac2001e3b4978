#include "cluster/lease.h"

#include <cerrno>
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

LeaseRecord read_record(const std::filesystem::path& file) {
  LeaseRecord free;
  free.released = true;
  if (!std::filesystem::exists(file)) return free;
  const json content =
      json::parse(read_file(file, kMaxLockBytes), nullptr, /*allow_exceptions=*/false);
  try {
    return {content.at("host"),     content.at("pid"),   content.at("process_start"),
            content.at("sequence"), content.at("epoch"), content.at("released")};
  } catch (const json::exception&) {
    throw_environment(file.string() +
                      ": is no lease of marquee; remove it when no sweep runs on this folder");
  }
}

void write_record(const std::filesystem::path& file, const LeaseRecord& record) {
  const json content{{"host", record.host},
                     {"pid", record.pid},
                     {"process_start", record.process_start},
                     {"sequence", record.sequence},
                     {"epoch", record.epoch},
                     {"released", record.released}};
  write_file_durably(file, content.dump() + "\n");
}

bool same_holder(const LeaseRecord& a, const LeaseRecord& b) {
  return a.host == b.host && a.pid == b.pid && a.process_start == b.process_start &&
         a.epoch == b.epoch;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const LeaseRecord& holder) {
  throw Error(ErrorKind::busy,
              "results folder " + file.parent_path().string() + " is held by process " +
                  std::to_string(holder.pid) + " on host " + holder.host + " (epoch " +
                  std::to_string(holder.epoch) + "); wait for it to end, or use another --out");
}

}  // namespace

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

Lease Lease::acquire(const std::filesystem::path& results_dir, const LeaseOptions& options) {
  const std::filesystem::path file = results_dir / "lock";
  const double started = monotonic_seconds();
  LeaseRecord seen;
  double still_since = started;
  for (bool first = true;; first = false) {
    {
      const Guard guard(file);
      const LeaseRecord holder = read_record(file);
      const double now = monotonic_seconds();
      if (first || !(holder == seen)) still_since = now;
      seen = holder;
      const bool here = holder.host == host_name();
      const bool alive_here =
          here && process_start_time(static_cast<pid_t>(holder.pid)) == holder.process_start &&
          holder.process_start != 0;
      const bool stale = !here && now - still_since >= options.stale_after_seconds;
      if (holder.released || (here && !alive_here) || stale) {
        const LeaseRecord mine{host_name(), ::getpid(),       process_start_time(::getpid()),
                               0,           holder.epoch + 1, false};
        write_record(file, mine);
        return {file, mine};
      }
      if (alive_here || now - started >= options.give_up_after_seconds) refuse(file, holder);
      if (first) {
        log_warning("lease", "results folder is held by process " + std::to_string(holder.pid) +
                                 " on host " + holder.host +
                                 "; waiting to see whether it still lives");
      }
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options.poll_seconds));
  }
}

Lease::Lease(Lease&& other) noexcept
    : file_(std::move(other.file_)),
      record_(std::move(other.record_)),
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
  const LeaseRecord holder = read_record(file_);
  if (!same_holder(holder, record_)) {
    held_ = false;
    refuse(file_, holder);
  }
  ++record_.sequence;
  write_record(file_, record_);
}

void Lease::release() {
  if (!std::exchange(held_, false)) return;
  const Guard guard(file_);
  if (!same_holder(read_record(file_), record_)) return;
  record_.released = true;
  write_record(file_, record_);
}

LeaseRecord read_lease(const std::filesystem::path& results_dir) {
  return read_record(results_dir / "lock");
}

}  // namespace marquee::cluster
