#include "cluster/gpu_list.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <unistd.h>

#include "cluster/child_process.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

constexpr double kPatienceSeconds = 10;
constexpr useconds_t kNapMicroseconds = 10'000;
constexpr std::uintmax_t kMostOutput = 1 << 20;
constexpr std::size_t kLongestName = 200, kMostGpus = 1024;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// Deleted when it goes.
class ScratchFile {
 public:
  ScratchFile() : path_((fs::temp_directory_path() / "marquee-gpus-XXXXXX").string()) {
    const int fd = ::mkstemp(path_.data());
    if (fd < 0) throw_environment(path_ + ": cannot be made");
    ::close(fd);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What it printed; empty when it failed or took too long.
std::string ask_nvidia_smi() {
  const ScratchFile output;
  SpawnOptions options;
  options.argv = {
      "/bin/sh", "-c",
      "exec nvidia-smi --query-gpu=name,memory.total --format=csv,noheader 2>/dev/null"};
  options.environment = clean_environment();
  options.log_file = output.path();
  ChildProcess child = ChildProcess::spawn(options);
  const double give_up = monotonic_seconds() + kPatienceSeconds;
  while (!child.try_wait()) {
    if (monotonic_seconds() > give_up) {
      child.kill(SIGKILL);
      break;
    }
    ::usleep(kNapMicroseconds);
  }
  return child.wait() == ExitStatus{0, 0} ? read_file(output.path(), kMostOutput) : "";
}

// "Model: NVIDIA A100-SXM4-40GB" in a file for each GPU, in folders named by their bus.
std::vector<Gpu> list_of_driver() {
  std::map<std::string, Gpu> by_bus;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    Gpu& gpu = by_bus[entry.path().filename().string()];
    std::ifstream file(entry.path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Model:")) gpu.name = trimmed(line.substr(sizeof("Model:") - 1));
    }
  }
  std::vector<Gpu> gpus;
  for (const auto& [bus, gpu] : by_bus) gpus.push_back(gpu);
  return gpus;
}

}  // namespace

std::vector<Gpu> parse_gpu_list(const std::string& text) {
  constexpr std::int64_t kMegabyte = 1 << 20;
  std::vector<Gpu> gpus;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (trimmed(line).empty()) continue;
    const std::size_t comma = line.rfind(',');  // names may hold commas
    if (comma == std::string::npos || gpus.size() == kMostGpus) return {};
    long long megabytes = 0;
    char unit[8] = {};
    // "[N/A]" on boards that share the host's memory.
    const std::string memory = trimmed(line.substr(comma + 1));
    if (std::sscanf(memory.c_str(), "%9lld %7s", &megabytes, unit) != 2 ||
        std::string(unit) != "MiB" || megabytes < 0)
      megabytes = 0;
    const std::string name = trimmed(line.substr(0, comma));
    if (name.empty() || name.size() > kLongestName) return {};
    gpus.push_back({name, megabytes * kMegabyte});
  }
  return gpus;
}

std::vector<Gpu> gpu_list() {
  const std::vector<Gpu> of_driver = list_of_driver();
  if (of_driver.empty()) return {};
  try {
    const std::vector<Gpu> asked = parse_gpu_list(ask_nvidia_smi());
    if (asked.size() == of_driver.size()) return asked;
  } catch (const Error&) {
    // No shell, no room for a file: names alone.
  }
  return of_driver;
}

}  // namespace marquee::cluster
