// The safetensors format: 8 bytes header length, a JSON header of names, types, shapes and offsets,
// raw little-endian data. Everything the header claims is checked against the file before it is
// used.
#pragma once

#include <filesystem>

#include "workers/models/parameters.h"

namespace marquee::workers {

// F16, BF16, F32, F64, I64, I32, I16, I8, U8. Throws environment naming file and tensor.
ParameterMap read_safetensors(const std::filesystem::path& path);

// Durable. Tensors keep their type; order by name; data 8-byte aligned.
void write_safetensors(const std::filesystem::path& path, const ParameterMap& tensors);

}  // namespace marquee::workers
