// NumPy's .npz archives (np.savez, np.savez_compressed) as named tensors: statistics of the field's
// tools, arrays of images. Bytes are turned to little-endian, row-major order as they are read.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

// Reads the members that are arrays of numbers, up to 8 GiB together; objects, texts and complex
// numbers are `unsupported` (they may hold pickles). Member names lose ".npy". Throws environment
// naming file and member for an archive or array that is damaged, checksums included.
WeightFile open_npz(const std::filesystem::path& path);
// Names of the members, without ".npy"; nothing else is read.
std::set<std::string> npz_names(const std::filesystem::path& path);

// The name of an array, from that of its member.
std::string npz_array_name(std::string member);

// What stands before the numbers of an .npy array.
struct NpyHeader {
  TensorLayout layout;
  bool big_endian = false, fortran = false;  // fortran: the first axis runs fastest
  std::size_t begin = 0;                     // where the numbers begin,
  std::uint64_t size = 0;                    // and their bytes
  std::string unsupported;                   // a type that is no number: then nothing else is set
};
// Bytes of an array that hold its whole header.
inline constexpr std::size_t kMaxNpyHeaderBytes = (1 << 16) + 12;
// `bytes`: the array, or its first kMaxNpyHeaderBytes. Throws environment naming `source`.
NpyHeader parse_npy_header(std::string_view bytes, const std::string& source);
// Throws environment naming `source` where these are not the header's bytes of numbers.
void check_npy_size(const NpyHeader& header, std::uint64_t bytes, const std::string& source);

// One .npy array; `bytes` holds all of it. Exposed for tests and fuzzing. Throws environment naming
// `source`; an array of what is no number gives its description in `unsupported`.
struct NpyArray {
  StoredTensor tensor;  // one part
  std::shared_ptr<const std::string> memory;
  std::string unsupported;  // then `tensor` is empty
};
NpyArray parse_npy(std::string bytes, const std::string& source);

}  // namespace marquee::workers
