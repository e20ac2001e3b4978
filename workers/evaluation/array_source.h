// Images that are one array of a file, uint8 [n, H, W, 3]. The array may be larger than memory:
// what is held of it is an image (npz), or some tens of megabytes or a chunk of the file (HDF5).
#pragma once

#include <filesystem>
#include <memory>

#include "workers/evaluation/image_source.h"

namespace marquee::workers {

// Data set `images`, or the only one of that form. Throws environment naming file and data set.
std::unique_ptr<ImageSource> open_hdf5_images(const std::filesystem::path& path);

// Array `images`, `arr_0`, or the only one of that form. A compressed one is unpacked into
// `scratch` for as long as the source lives. Throws environment naming file and array.
std::unique_ptr<ImageSource> open_npz_images(const std::filesystem::path& path,
                                             const std::filesystem::path& scratch);

}  // namespace marquee::workers
