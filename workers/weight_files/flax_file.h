// Reads checkpoints of flax.serialization (msgpack): nested maps with text keys whose leaves are
// arrays. An array is extension type 1, its content again msgpack: [shape, dtype name, bytes]; a
// numpy scalar is type 3 of the same content; arrays above 2^30 bytes are a map of chunks. Names
// are the keys joined with '/' ("params/MlmLayer_0/mlm_bias/bias"); elements of a list are
// numbered.
#pragma once

#include <string>
#include <string_view>

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

// By the first byte: a map.
bool looks_like_flax(std::string_view bytes);

// The tensors are views into `bytes` (of several parts where the file has chunks); `source` names
// them in messages, `file` stays empty. Complex numbers, other extensions and arrays of other types
// become `unsupported`. Throws environment naming `source` and the place in the tree.
WeightFile parse_flax(std::string_view bytes, const std::string& source);

}  // namespace marquee::workers
