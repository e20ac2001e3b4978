// What every reader of weights promises.
#pragma once

#include <functional>
#include <string_view>

#include "workers/weight_files/weight_file.h"

namespace marquee::fuzz {

// All tensors lie inside the input and have the bytes that their shapes take.
inline void check_weights(const workers::WeightFile& weights, std::string_view input) {
  const std::less_equal<const char*> not_behind;
  for (const auto& [name, tensor] : weights.tensors) {
    std::uint64_t total = 0;
    if (tensor.parts.empty() || name.size() > workers::kMaxTensorNameBytes) __builtin_trap();
    for (const std::string_view part : tensor.parts) {
      const bool inside = not_behind(input.data(), part.data()) &&
                          not_behind(part.data() + part.size(), input.data() + input.size());
      if (!inside || part.size() % workers::element_bytes(tensor.type) != 0) __builtin_trap();
      total += part.size();
    }
    if (workers::size_bytes(tensor) != total) __builtin_trap();
  }
}

}  // namespace marquee::fuzz
