// The content of one array of a flax checkpoint: msgpack [shape, dtype name, bytes].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

// Why it is no tensor of a type read here: "an array of complex64".
struct UnsupportedArray {
  std::string what;
};

// A view into `content`. Throws environment saying what is wrong ("an array of [2, 3] float32 with
// 20 bytes"), without file and name, which the caller puts in front.
std::variant<StoredTensor, UnsupportedArray> parse_flax_array(std::string_view content);

}  // namespace marquee::workers
