// Names and memory of this host's NVIDIA GPUs, without CUDA. Thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace marquee::cluster {

struct Gpu {
  std::string name;               // "NVIDIA H100 80GB HBM3"
  std::int64_t memory_bytes = 0;  // 0: not known

  bool operator==(const Gpu&) const = default;
};

// In the driver's order (by PCI bus), from nvidia-smi, which is given ten seconds; where it is
// absent or fails, names alone from the driver's files. Empty where there is no driver.
std::vector<Gpu> gpu_list();

// What CUDA_VISIBLE_DEVICES calls the GPUs that this process may use ("0", "GPU-8a31..."): all of
// them where that variable is not set, else those that it names (Slurm and other schedulers set it
// to what they have given to the job). As in CUDA, what follows a name that cannot be is left out.
std::vector<std::string> visible_gpus();
// The same for `count` devices and what the variable says.
std::vector<std::string> visible_gpus(int count, const std::optional<std::string>& variable);

// What `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader` printed; empty when a line
// is of another form.
std::vector<Gpu> parse_gpu_list(const std::string& text);

}  // namespace marquee::cluster
