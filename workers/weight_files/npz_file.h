// NumPy's .npz archives (np.savez, np.savez_compressed) as named tensors: statistics of the field's
// tools, arrays of images. Bytes are turned to little-endian, row-major order as they are read.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

// Reads the members that are arrays of numbers, up to 8 GiB together; objects, texts and complex
// numbers are `unsupported` (they may hold pickles). Member names lose ".npy". Throws environment
// naming file and member for an archive or array that is damaged, checksums included.
WeightFile open_npz(const std::filesystem::path& path);
// Names of the members, without ".npy"; nothing else is read.
std::set<std::string> npz_names(const std::filesystem::path& path);

// One .npy array; `bytes` holds all of it. Exposed for tests and fuzzing. Throws environment naming
// `source`; an array of what is no number gives its description in `unsupported`.
struct NpyArray {
  StoredTensor tensor;  // one part
  std::shared_ptr<const std::string> memory;
  std::string unsupported;  // then `tensor` is empty
};
NpyArray parse_npy(std::string bytes, const std::string& source);

}  // namespace marquee::workers
