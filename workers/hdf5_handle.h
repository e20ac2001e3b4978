// The inside of Hdf5File, for the hdf5_*.cpp files alone: one owner per HDF5 id, and texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <hdf5.h>

namespace marquee::workers {

inline constexpr std::size_t kMaxStringBytes = std::size_t{64} << 20;

// One owner per HDF5 id; `how` is the matching H5?close.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*how)(hid_t)) : id_(id), close_(how) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }
  // What was written may lie in a buffer until now: false when the file system refused it, and the
  // bytes are lost then.
  bool close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// Opened group or data set ("" is the root) together with how to close it.
Hdf5Handle open_object(hid_t file, const std::string& name);
// The type of a text of so many bytes: UTF-8, padded with NUL.
Hdf5Handle text_type(std::size_t size);

// Reads a string through `read` (H5Dread or H5Aread bound to the object), of fixed or variable
// length.
template <typename Read>
bool read_text(hid_t type, hid_t space, Read read, std::string& value) {
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) return false;
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    const Hdf5Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory.get(), H5T_VARIABLE);
    H5Tset_cset(memory.get(), H5Tget_cset(type));
    if (read(memory.get(), &text) < 0) return false;
    value = text == nullptr ? "" : text;
    H5free_memory(text);
    return true;
  }
  const std::size_t size = H5Tget_size(type);
  if (size > kMaxStringBytes) return false;
  value.assign(size, '\0');
  if (read(type, value.data()) < 0) return false;
  value.resize(std::min(value.size(), value.find('\0')));
  return true;
}

}  // namespace marquee::workers
