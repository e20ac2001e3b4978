// Names and memory of this host's NVIDIA GPUs, without CUDA. Thread safe.
#pragma once

#include <cstdint>
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

// What `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader` printed; empty when a line
// is of another form.
std::vector<Gpu> parse_gpu_list(const std::string& text);

}  // namespace marquee::cluster
