// Writes safetensors files of any size: the layouts of all tensors first, then their bytes, one
// after another. The data begin at a multiple of 64 bytes and larger elements come before smaller
// ones, so every tensor can be used where it lies in a mapped file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

// Durable: under its name there is the old file or the whole new one, which commit() puts there.
// Throws environment naming the file (full disk); a call out of order is a defect. Not thread safe.
class SafetensorsWriter {
 public:
  // Names are UTF-8 of at most kMaxTensorNameBytes.
  SafetensorsWriter(const std::filesystem::path& path,
                    const std::map<std::string, TensorLayout>& tensors,
                    const std::map<std::string, std::string>& metadata = {});

  // In this order bytes must be appended: by element size, largest first, then by name.
  const std::vector<std::string>& order() const { return order_; }

  // The next bytes of the tensor, in pieces of any size.
  void append(const std::string& name, std::string_view bytes);

  // After the last byte. Returns the SHA-256 of the file.
  std::string commit();

 private:
  void write(std::string_view bytes);

  cluster::DurableWriter file_;
  cluster::Sha256 hash_;
  std::vector<std::string> order_;
  std::vector<std::uint64_t> missing_;  // bytes still to come, by place in order_
  std::size_t at_ = 0;                  // the tensor at hand
};

}  // namespace marquee::workers
