#include "cluster/gpu_list.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/program_output.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

constexpr double kPatienceSeconds = 10;
constexpr std::size_t kLongestName = 200, kMostGpus = 1024, kMostDigits = 4;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// What it printed; empty when it failed or took too long.
std::string ask_nvidia_smi() {
  const ProgramOutput answer = run_program(
      {"nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"}, kPatienceSeconds);
  return answer.status == ExitStatus{0, 0} ? answer.out : "";
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
    // No such program: names alone.
  }
  return of_driver;
}

std::vector<std::string> visible_gpus() {
  const char* variable = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible_gpus(gpu_count(),
                      variable == nullptr ? std::nullopt : std::optional<std::string>(variable));
}

std::vector<std::string> visible_gpus(int count, const std::optional<std::string>& variable) {
  std::vector<std::string> ids;
  if (count == 0) return ids;
  if (!variable) {
    for (int gpu = 0; gpu < count; ++gpu) ids.push_back(std::to_string(gpu));
    return ids;
  }
  std::istringstream words(*variable);
  for (std::string word; std::getline(words, word, ',');) {
    word = trimmed(word);
    const bool unique = word.starts_with("GPU-") || word.starts_with("MIG-");
    const bool place = !word.empty() && word.size() <= kMostDigits &&
                       word.find_first_not_of("0123456789") == std::string::npos &&
                       std::stoi(word) < count;
    if ((!unique && !place) || word.size() > kLongestName || ids.size() == kMostGpus ||
        std::find(ids.begin(), ids.end(), word) != ids.end())
      break;
    ids.push_back(word);
  }
  return ids;
}

}  // namespace marquee::cluster
