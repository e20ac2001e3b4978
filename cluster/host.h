// Facts about this machine and its processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace marquee::cluster {

std::string host_name();
// Processors that this process may be given: online and within its cpuset, ignoring the one-core
// mask that mpirun binds a rank to.
std::vector<int> available_cpus();
int gpu_count();  // NVIDIA devices that the driver shows, whether or not this process may use them
// Start time of a process in clock ticks since boot; 0 when there is no such process (or it is a
// zombie).
std::uint64_t process_start_time(pid_t pid);
std::filesystem::path executable_path();
double monotonic_seconds();
std::string utc_now();                  // "2026-01-31T12:00:00.123Z"
std::string utc_after(double seconds);  // from now; the same form
std::string cpu_model();
// Whether bfloat16 products run in hardware (AVX512-BF16, which AMX implies). Without it they are
// emulated, tens of times slower than float32.
bool cpu_has_bf16();
std::int64_t memory_bytes();
// What processes here may use together: memory_bytes, or less where the control group says so.
std::int64_t memory_limit_bytes();
// The most memory (resident set) that this process has had.
std::int64_t peak_memory_bytes();
// Free for this user on the file system of `path` or of its nearest parent that exists. Throws
// environment when it cannot be asked.
std::int64_t free_disk_bytes(const std::filesystem::path& path);

}  // namespace marquee::cluster
