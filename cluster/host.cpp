#include "cluster/host.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

// Value of a "key : value" line of a /proc file.
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::vector<int> available_cpus() {
  cpu_set_t before, mask;
  CPU_ZERO(&before);
  const bool known = ::sched_getaffinity(0, sizeof before, &before) == 0;
  // Of a mask of everything the kernel leaves what is there and what the cpuset allows.
  std::memset(&mask, 0xff, sizeof mask);
  const bool widened = known && ::sched_setaffinity(0, sizeof mask, &mask) == 0;
  if (!widened || ::sched_getaffinity(0, sizeof mask, &mask) != 0) mask = before;
  if (widened) ::sched_setaffinity(0, sizeof before, &before);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

int gpu_count() {
  int count = 0;
  std::error_code error;
  for ([[maybe_unused]] const auto& entry :
       fs::directory_iterator("/proc/driver/nvidia/gpus", error))
    ++count;
  return count;
}

std::uint64_t process_start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  // The command in parentheses may hold anything; fields are counted from its end.
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 1));
  std::string field;
  std::uint64_t start = 0;
  for (int number = 3; fields >> field; ++number) {
    if (number == 3 && (field == "Z" || field == "X")) return 0;
    if (number == 22) {
      start = std::stoull(field);
      break;
    }
  }
  return start;
}

fs::path executable_path() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (error) throw_environment("cannot find out which program this is: " + error.message());
  return path;
}

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string utc_now() {
  return utc_after(0);
}

std::string utc_after(double seconds) {
  constexpr long kNanoseconds = 1'000'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const double whole = std::floor(seconds);
  now.tv_sec += static_cast<time_t>(whole);
  now.tv_nsec += static_cast<long>((seconds - whole) * 1e9);
  if (now.tv_nsec >= kNanoseconds) {
    now.tv_nsec -= kNanoseconds;
    ++now.tv_sec;
  }
  std::tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char date[32], text[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03ldZ", date, now.tv_nsec / 1000000);
  return text;
}

std::string cpu_model() {
  return proc_value("/proc/cpuinfo", "model name");
}

bool cpu_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::int64_t memory_bytes() {
  return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::int64_t>(::sysconf(_SC_PAGE_SIZE));
}

std::int64_t memory_limit_bytes() {
  std::int64_t limit = memory_bytes();
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::int64_t bytes = 0;
    if (file >> bytes && bytes > 0) limit = std::min(limit, bytes);  // "max" is no number
  }
  return limit;
}

std::int64_t peak_memory_bytes() {
  constexpr std::int64_t kKilobyte = 1024;
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss * kKilobyte : 0;
}

std::int64_t free_disk_bytes(const fs::path& path) {
  fs::path existing = fs::absolute(path);
  while (!fs::exists(existing) && existing != existing.root_path())
    existing = existing.parent_path();
  struct statvfs facts = {};
  if (::statvfs(existing.c_str(), &facts) != 0) {
    throw_environment(existing.string() + ": cannot ask for its free space (" + errno_text(errno) +
                      ")");
  }
  return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
}

}  // namespace marquee::cluster
