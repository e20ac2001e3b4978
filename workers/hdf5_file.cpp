#include "workers/hdf5_file.h"

#include <algorithm>
#include <utility>

#include <hdf5.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "cluster/log.h"
#include "workers/hdf5_handle.h"

namespace marquee::workers {
namespace {

constexpr hsize_t kUserBlock = cluster::kSealBlockBytes;

// The library prints its error stack unless told otherwise; our errors name file and object
// instead.
void silence_error_stack() {
  static const bool once = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(once);
}

struct TypePair {
  hid_t memory;
  torch::ScalarType scalar;
};

// In-memory type for a stored one; -1 where it is not a number that we read.
TypePair memory_type(hid_t stored) {
  const std::size_t size = H5Tget_size(stored);
  if (H5Tget_class(stored) == H5T_FLOAT) {
    if (size == 2 || size == 4) return {H5T_NATIVE_FLOAT, torch::kFloat32};
    if (size == 8) return {H5T_NATIVE_DOUBLE, torch::kFloat64};
  }
  if (H5Tget_class(stored) == H5T_INTEGER) {
    const bool is_signed = H5Tget_sign(stored) == H5T_SGN_2;
    if (size == 1) {
      return is_signed ? TypePair{H5T_NATIVE_INT8, torch::kInt8}
                       : TypePair{H5T_NATIVE_UINT8, torch::kUInt8};
    }
    if (is_signed && size == 2) return {H5T_NATIVE_INT16, torch::kInt16};
    if (is_signed && size == 4) return {H5T_NATIVE_INT32, torch::kInt32};
    if (size <= 8) return {H5T_NATIVE_INT64, torch::kInt64};
  }
  return {-1, torch::kFloat32};
}

TypePair stored_type(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat32:
      return {H5T_NATIVE_FLOAT, type};
    case torch::kFloat64:
      return {H5T_NATIVE_DOUBLE, type};
    case torch::kInt64:
      return {H5T_NATIVE_INT64, type};
    case torch::kInt32:
      return {H5T_NATIVE_INT32, type};
    case torch::kInt16:
      return {H5T_NATIVE_INT16, type};
    case torch::kUInt8:
      return {H5T_NATIVE_UINT8, type};
    default:
      return {-1, type};
  }
}

// Without the time of writing, which HDF5 notes by itself: equal content makes equal files.
Hdf5Handle data_set_properties() {
  Hdf5Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(list.get(), false);
  return list;
}

Hdf5Handle create_with_parents() {
  Hdf5Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(list.get(), 1);
  return list;
}

}  // namespace

Hdf5File::Hdf5File(std::filesystem::path path, std::int64_t id) : path_(std::move(path)), id_(id) {}
Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)), id_(std::exchange(other.id_, -1)) {}
Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(id_, other.id_);
  return *this;
}
Hdf5File::~Hdf5File() {
  if (id_ >= 0 && H5Fclose(id_) < 0) {
    cluster::log_error("hdf5",
                       path_.string() + ": could not be closed; its content is not to be trusted");
  }
}

void Hdf5File::fail(const std::string& object, const std::string& what) const {
  cluster::throw_environment(path_.string() + (object.empty() ? "" : ": '" + object + "'") + " " +
                             what);
}

Hdf5File Hdf5File::open_read(const std::filesystem::path& path) {
  silence_error_stack();
  if (!std::filesystem::exists(path)) cluster::throw_environment(path.string() + ": no such file");
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id < 0)
    cluster::throw_environment(path.string() + ": not a readable HDF5 file (cut off or damaged?)");
  return {path, id};
}

Hdf5File Hdf5File::create(const std::filesystem::path& path, bool user_block) {
  silence_error_stack();
  const Hdf5Handle properties(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  if (user_block) H5Pset_userblock(properties.get(), kUserBlock);
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties.get(), H5P_DEFAULT);
  if (id < 0) cluster::throw_environment(path.string() + ": cannot be created");
  return {path, id};
}

void Hdf5File::close() {
  const bool flushed = H5Fflush(id_, H5F_SCOPE_GLOBAL) >= 0;
  const bool closed = H5Fclose(std::exchange(id_, -1)) >= 0;
  if (!flushed || !closed) fail("", "could not be written whole (disk full?)");
}

bool Hdf5File::has(const std::string& name) const {
  if (name.empty()) return true;
  // H5Lexists wants every link on the way to exist.
  for (std::size_t slash = name.find('/');; slash = name.find('/', slash + 1)) {
    if (H5Lexists(id_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    if (slash == std::string::npos) return true;
  }
}

bool Hdf5File::is_group(const std::string& name) const {
  if (!has(name)) return false;
  const Hdf5Handle object = open_object(id_, name);
  return object.valid() && H5Iget_type(object.get()) == H5I_GROUP;
}

std::vector<std::string> Hdf5File::children(const std::string& group) const {
  const Hdf5Handle object = open_object(id_, group);
  H5G_info_t info{};
  if (!object.valid() || H5Gget_info(object.get(), &info) < 0) fail(group, "is not a group");
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const ssize_t size = H5Lget_name_by_idx(object.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i,
                                            nullptr, 0, H5P_DEFAULT);
    if (size < 0 || size > 4096) fail(group, "has a member whose name cannot be read");
    std::string name(static_cast<std::size_t>(size) + 1, '\0');
    H5Lget_name_by_idx(object.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(),
                       H5P_DEFAULT);
    name.pop_back();
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& name) const {
  if (!has(name)) fail(name, "is missing");
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data.valid()) fail(name, "is not a data set");
  const Hdf5Handle space(H5Dget_space(data.get()), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > 16) fail(name, "has no simple extent of at most 16 dimensions");
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr);
  return {extent.begin(), extent.end()};
}

Tensor Hdf5File::read_tensor(const std::string& name, std::int64_t max_bytes) const {
  return read_part(name, shape(name), std::nullopt, max_bytes);
}

Tensor Hdf5File::read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                           std::int64_t max_bytes) const {
  std::vector<std::int64_t> extent = shape(name);
  if (extent.empty() || first < 0 || count < 0 || count > extent[0] || first > extent[0] - count)
    fail(name, "has no rows " + std::to_string(first) + " to " + std::to_string(first + count));
  extent[0] = count;
  return read_part(name, extent, first, max_bytes);
}

// All of it, or the rows of `extent` from `first` on.
Tensor Hdf5File::read_part(const std::string& name, const std::vector<std::int64_t>& extent,
                           std::optional<std::int64_t> first, std::int64_t max_bytes) const {
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle stored(H5Dget_type(data.get()), H5Tclose);
  const TypePair type = memory_type(stored.get());
  if (type.memory < 0) fail(name, "is not an array of numbers of a known type");
  std::int64_t bytes = static_cast<std::int64_t>(torch::elementSize(type.scalar));
  for (const std::int64_t size : extent) {
    if (size < 0 || (size > 0 && bytes > max_bytes / size)) {
      fail(name, "is larger than the " + std::to_string(max_bytes) + " bytes allowed");
    }
    bytes *= size;
  }
  Tensor tensor = torch::empty(extent, type.scalar);
  if (tensor.numel() == 0) return tensor;
  if (first) {
    const std::vector<hsize_t> rows(extent.begin(), extent.end());
    std::vector<hsize_t> start(extent.size(), 0);
    start[0] = static_cast<hsize_t>(*first);
    const Hdf5Handle whole(H5Dget_space(data.get()), H5Sclose),
        part(H5Screate_simple(static_cast<int>(rows.size()), rows.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(whole.get(), H5S_SELECT_SET, start.data(), nullptr, rows.data(),
                            nullptr) < 0 ||
        H5Dread(data.get(), type.memory, part.get(), whole.get(), H5P_DEFAULT, tensor.data_ptr()) <
            0)
      fail(name, "cannot be read (damaged?)");
    return tensor;
  }
  if (H5Dread(data.get(), type.memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.data_ptr()) < 0)
    fail(name, "cannot be read (damaged?)");
  return tensor;
}

torch::ScalarType Hdf5File::type(const std::string& name) const {
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data.valid()) fail(name, "is not a data set");
  const Hdf5Handle stored(H5Dget_type(data.get()), H5Tclose);
  const TypePair type = memory_type(stored.get());
  if (type.memory < 0) fail(name, "is not an array of numbers of a known type");
  return type.scalar;
}

Hdf5File::Storage Hdf5File::storage(const std::string& name) const {
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data.valid()) fail(name, "is not a data set");
  Storage storage;
  storage.bytes = static_cast<std::int64_t>(H5Dget_storage_size(data.get()));
  const Hdf5Handle creation(H5Dget_create_plist(data.get()), H5Pclose);
  if (H5Pget_layout(creation.get()) == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(shape(name).size());
    H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
    storage.chunk.assign(chunk.begin(), chunk.end());
  }
  return storage;
}

std::string Hdf5File::read_string(const std::string& name) const {
  if (!has(name)) fail(name, "is missing");
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data.valid()) fail(name, "is not a data set");
  const Hdf5Handle type(H5Dget_type(data.get()), H5Tclose);
  const Hdf5Handle space(H5Dget_space(data.get()), H5Sclose);
  std::string value;
  const auto read = [&](hid_t memory, void* out) {
    return H5Dread(data.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  };
  if (!read_text(type.get(), space.get(), read, value)) fail(name, "is not a readable string");
  return value;
}

std::vector<std::string> Hdf5File::read_strings(const std::string& name) const {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
  const std::vector<std::int64_t> extent = shape(name);
  const Hdf5Handle data(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle type(H5Dget_type(data.get()), H5Tclose);
  const bool fixed = H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0;
  const std::size_t size = fixed ? H5Tget_size(type.get()) : 0;
  if (extent.size() != 1 || size == 0) fail(name, "is no list of strings of fixed length");
  const auto count = static_cast<std::size_t>(extent[0]);
  if (count > kMaxBytes / size) fail(name, "is larger than 1 GiB");
  std::vector<char> bytes(count * size);
  if (count > 0 && H5Dread(data.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
    fail(name, "cannot be read (damaged?)");
  std::vector<std::string> values;
  for (std::size_t i = 0; i < count; ++i) {
    const char* text = bytes.data() + i * size;
    values.emplace_back(text, ::strnlen(text, size));
  }
  return values;
}

void Hdf5File::write_tensor(const std::string& name, const Tensor& tensor, bool compress) {
  const Tensor values = tensor.detach().to(torch::kCPU).contiguous();
  const TypePair type = stored_type(values.scalar_type());
  MARQUEE_CHECK(type.memory >= 0, "write_tensor: type of '" + name + "' has no HDF5 form here");
  const std::vector<hsize_t> extent(values.sizes().begin(), values.sizes().end());
  const Hdf5Handle space(
      extent.empty() ? H5Screate(H5S_SCALAR)
                     : H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
      H5Sclose);
  const Hdf5Handle properties = data_set_properties();
  if (compress && values.numel() > 0 && !extent.empty()) {
    std::vector<hsize_t> chunk = extent;
    const auto row_bytes = static_cast<hsize_t>(values.nbytes()) / chunk[0];
    chunk[0] =
        std::clamp<hsize_t>((hsize_t{1} << 20) / std::max<hsize_t>(row_bytes, 1), 1, chunk[0]);
    H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(properties.get());
    H5Pset_deflate(properties.get(), 4);
  }
  const Hdf5Handle links = create_with_parents();
  Hdf5Handle data(H5Dcreate2(id_, name.c_str(), type.memory, space.get(), links.get(),
                             properties.get(), H5P_DEFAULT),
                  H5Dclose);
  const bool written =
      data.valid() && (values.numel() == 0 || H5Dwrite(data.get(), type.memory, H5S_ALL, H5S_ALL,
                                                       H5P_DEFAULT, values.data_ptr()) >= 0);
  if (!data.close() || !written) fail(name, "cannot be written (disk full?)");
}

void Hdf5File::write_string(const std::string& name, const std::string& value) {
  const Hdf5Handle type = text_type(value.size());
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle properties = data_set_properties();
  const Hdf5Handle links = create_with_parents();
  Hdf5Handle data(H5Dcreate2(id_, name.c_str(), type.get(), space.get(), links.get(),
                             properties.get(), H5P_DEFAULT),
                  H5Dclose);
  const std::string bytes = value.empty() ? std::string(1, '\0') : value;
  const bool written = data.valid() && H5Dwrite(data.get(), type.get(), H5S_ALL, H5S_ALL,
                                                H5P_DEFAULT, bytes.data()) >= 0;
  if (!data.close() || !written) fail(name, "cannot be written (disk full?)");
}

void Hdf5File::write_strings(const std::string& name, const std::vector<std::string>& values) {
  std::size_t longest = 1;
  for (const std::string& value : values) longest = std::max(longest, value.size());
  std::vector<char> bytes(values.size() * longest, '\0');
  for (std::size_t i = 0; i < values.size(); ++i)
    std::copy(values[i].begin(), values[i].end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(i * longest));
  const Hdf5Handle type = text_type(longest);
  const hsize_t extent = values.size();
  const Hdf5Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose);
  const Hdf5Handle properties = data_set_properties();
  if (extent > 0) {
    const hsize_t chunk = std::clamp<hsize_t>((hsize_t{1} << 20) / longest, 1, extent);
    H5Pset_chunk(properties.get(), 1, &chunk);
    H5Pset_deflate(properties.get(), 4);
  }
  const Hdf5Handle links = create_with_parents();
  Hdf5Handle data(H5Dcreate2(id_, name.c_str(), type.get(), space.get(), links.get(),
                             properties.get(), H5P_DEFAULT),
                  H5Dclose);
  const bool written =
      data.valid() && (values.empty() || H5Dwrite(data.get(), type.get(), H5S_ALL, H5S_ALL,
                                                  H5P_DEFAULT, bytes.data()) >= 0);
  if (!data.close() || !written) fail(name, "cannot be written (disk full?)");
}

void write_sealed_hdf5(const std::filesystem::path& path,
                       const std::function<void(Hdf5File&)>& fill) {
  cluster::StagedFile staged(path);
  Hdf5File file = Hdf5File::create(staged.staging_path());
  fill(file);
  file.close();
  cluster::seal_file(staged.staging_path());
  staged.commit();
}

Hdf5File open_sealed_hdf5(const std::filesystem::path& path) {
  cluster::check_seal(path);
  return Hdf5File::open_read(path);
}

}  // namespace marquee::workers
