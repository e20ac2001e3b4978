// Weights as safetensors files, read by mapping them: see workers/weight_files for the format and
// what is checked, workers/mapped_tensor.h for what may be done with the tensors.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "workers/models/parameters.h"

namespace marquee::workers {

// Of all types that safetensors and LibTorch share, but for complex and 8-bit floating ones. Throws
// environment naming file and tensor.
ParameterMap read_safetensors(const std::filesystem::path& path);

// Durable. Tensors keep their type; data 64-byte aligned. One tensor at a time is held in memory.
// Returns the SHA-256 of the file.
std::string write_safetensors(const std::filesystem::path& path, const ParameterMap& tensors,
                              const std::map<std::string, std::string>& metadata = {});

}  // namespace marquee::workers
