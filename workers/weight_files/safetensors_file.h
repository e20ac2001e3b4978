// Reads the safetensors format: 8 bytes header length, a JSON header of names, types, shapes and
// offsets, raw data. The rules of the format are kept to the letter: tensors do not overlap, leave
// no gap and end with the file, so a file that was cut off or appended to is found.
#pragma once

#include <string>
#include <string_view>

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";

// By the beginning alone; a damaged file of this format should still look like one.
bool looks_like_safetensors(std::string_view bytes);

// The tensors are views into `bytes`; `source` names them in messages, `file` stays empty. Offsets
// that are no multiple of the element size are allowed. Throws environment naming `source` and the
// tensor.
WeightFile parse_safetensors(std::string_view bytes, const std::string& source);

}  // namespace marquee::workers
