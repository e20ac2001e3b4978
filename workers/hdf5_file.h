// HDF5 files with tensors inside: one move-only owner per handle, sizes bounded before anything is
// allocated, errors that name the file and the object.
//
// Used for checkpoints, results, caches and the golden reference files. A file of ours is written
// aside (cluster::StagedFile), closed, sealed (cluster/file_seal.h) and renamed: a torn or flipped
// file is found before it is believed.
//
// Not thread safe: one file belongs to one thread. Errors: cluster::Error, kind environment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workers/torch.h"

namespace marquee::workers {

class Hdf5File {
 public:
  // Opens for reading. Throws when the file is absent, not HDF5, or damaged.
  static Hdf5File open_read(const std::filesystem::path& path);
  // Creates (truncates); `user_block` reserves 512 bytes in front for the seal.
  static Hdf5File create(const std::filesystem::path& path, bool user_block = true);

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;
  ~Hdf5File();

  // Flushes and closes; throws when the file system refused anything. The destructor only logs.
  void close();
  const std::filesystem::path& path() const { return path_; }

  // `name` is a path from the root: "group/data". The empty name is the root group.
  bool has(const std::string& name) const;
  bool is_group(const std::string& name) const;
  // Names of the members of a group, sorted.
  std::vector<std::string> children(const std::string& group) const;
  // Extents of a data set; {} for a scalar.
  std::vector<std::int64_t> shape(const std::string& name) const;

  // Reads a whole data set. float32/64, int8..64 and uint8 keep their type; float16 comes as
  // float32, uint16, uint32 and uint64 as int64. Refuses more than `max_bytes` in memory.
  Tensor read_tensor(const std::string& name, std::int64_t max_bytes = std::int64_t{8} << 30) const;
  // Rows first .. first + count along the first axis, as read_tensor gives them, without the rest.
  // At least one axis. Throws as read_tensor does, and for rows that are not there.
  Tensor read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                   std::int64_t max_bytes = std::int64_t{8} << 30) const;
  // The type that read_tensor gives; throws where it refuses the type.
  torch::ScalarType type(const std::string& name) const;
  // How a data set lies in the file.
  struct Storage {
    std::int64_t bytes = 0;             // that it takes there, compressed or not
    std::vector<std::int64_t> chunk{};  // extents; empty where it is not in chunks
  };
  Storage storage(const std::string& name) const;
  // Reads a scalar string (fixed or variable length).
  std::string read_string(const std::string& name) const;
  // Reads a list of strings as write_strings writes them; at most 1 GiB.
  std::vector<std::string> read_strings(const std::string& name) const;

  // Intermediate groups are made as needed. `compress`: chunked, shuffle + deflate level 4.
  void write_tensor(const std::string& name, const Tensor& tensor, bool compress = false);
  void write_string(const std::string& name, const std::string& value);
  // One-dimensional, UTF-8, padded to the longest, compressed.
  void write_strings(const std::string& name, const std::vector<std::string>& values);

  // Attributes of a group or data set ("" is the root group).
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string string_attribute(const std::string& object, const std::string& name) const;
  std::int64_t int_attribute(const std::string& object, const std::string& name) const;
  double double_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::int64_t> ints_attribute(const std::string& object,
                                           const std::string& name) const;
  void set_attribute(const std::string& object, const std::string& name, std::string_view value);
  void set_attribute(const std::string& object, const std::string& name, const char* value);
  void set_attribute(const std::string& object, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& object, const std::string& name, double value);

 private:
  Hdf5File(std::filesystem::path path, std::int64_t id);
  [[noreturn]] void fail(const std::string& object, const std::string& what) const;
  Tensor read_part(const std::string& name, const std::vector<std::int64_t>& extent,
                   std::optional<std::int64_t> first, std::int64_t max_bytes) const;

  std::filesystem::path path_;
  std::int64_t id_ = -1;
};

// Creates, fills, closes, seals, syncs and renames: a file under its final name is whole.
void write_sealed_hdf5(const std::filesystem::path& path,
                       const std::function<void(Hdf5File&)>& fill);
// The seal is checked, then the file opened for reading.
Hdf5File open_sealed_hdf5(const std::filesystem::path& path);

}  // namespace marquee::workers
