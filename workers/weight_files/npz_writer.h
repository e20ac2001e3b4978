// .npz archives as np.savez writes them: stored, little-endian, row-major.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

struct NpzArray {
  TensorLayout layout;  // not bfloat16, which NumPy lacks
  std::string bytes;
};

// Durable. Throws environment when it cannot be written.
void write_npz(const std::filesystem::path& path, const std::map<std::string, NpzArray>& arrays);

}  // namespace marquee::workers
