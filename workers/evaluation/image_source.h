// Images that are evaluated, wherever they lie: a folder, a zip or tar archive, an array in an HDF5
// or npz file, a split of a task, a finished run.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "datasets/data_folder.h"
#include "datasets/image.h"

namespace marquee::workers {

// Thread safe for reading.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual std::size_t size() const = 0;
  // For messages: where an image is.
  virtual std::string where(std::size_t index) const = 0;
  // RGB, native size. Throws environment naming where() for what cannot be decoded.
  virtual datasets::Image image(std::size_t index) const = 0;
  // The image as it is stored, for the content's hash.
  virtual std::string stored_bytes(std::size_t index) const = 0;
};

struct SourceOptions {
  bool recursive = false;             // a folder's folders too
  std::filesystem::path data, cache;  // of tasks; where archives and compressed arrays are unpacked
  std::filesystem::path assets;       // of the bases of runs
};

// Files that are taken for images in folders and archives, by their names' ends.
bool has_image_name(std::string_view name);

// `what`: a folder, an archive, an .h5 or .hdf5 file with uint8 [n, H, W, 3] (data set `images`, or
// the only one of that form), an .npz file with such an array (`arr_0`, `images` or the only one),
// TASK:SPLIT, or a run (its folder, that of an attempt, or its result.h5). Images come in the order
// of their names' bytes, or as stored. Throws usage for what is none of these, environment naming
// the file where it holds no image, is damaged, or has an entry whose name is absolute or goes up
// ("..").
std::unique_ptr<ImageSource> open_image_source(const std::string& what,
                                               const SourceOptions& options);

// SHA-256 over the images in order, as stored.
std::string content_hash(const ImageSource& source);

}  // namespace marquee::workers
