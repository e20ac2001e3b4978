// Attributes of groups and data sets.
#include <hdf5.h>

#include "cluster/error.h"
#include "workers/hdf5_file.h"
#include "workers/hdf5_handle.h"

namespace marquee::workers {
namespace {

// All values of a numeric attribute, converted to `memory`; false where it is not one.
template <typename Value>
bool numbers_of(hid_t owner, const std::string& name, hid_t memory, std::vector<Value>& values) {
  const Hdf5Handle attribute(H5Aopen(owner, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  const H5T_class_t kind = H5Tget_class(type.get());
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || count < 0 || count > 4096) return false;
  values.resize(static_cast<std::size_t>(count));
  return H5Aread(attribute.get(), memory, values.data()) >= 0;
}

bool put_attribute(hid_t file, const std::string& object, const std::string& name, hid_t type,
                   const void* value) {
  Hdf5Handle owner = open_object(file, object);
  if (!owner.valid()) return false;
  if (H5Aexists(owner.get(), name.c_str()) > 0) H5Adelete(owner.get(), name.c_str());
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  Hdf5Handle attribute(
      H5Acreate2(owner.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const bool written = attribute.valid() && H5Awrite(attribute.get(), type, value) >= 0;
  return attribute.close() && owner.close() && written;
}

}  // namespace

bool Hdf5File::has_attribute(const std::string& object, const std::string& name) const {
  if (!has(object)) return false;
  const Hdf5Handle owner = open_object(id_, object);
  return owner.valid() && H5Aexists(owner.get(), name.c_str()) > 0;
}

std::string Hdf5File::string_attribute(const std::string& object, const std::string& name) const {
  if (!has_attribute(object, name)) fail(object, "has no attribute '" + name + "'");
  const Hdf5Handle owner = open_object(id_, object);
  const Hdf5Handle attribute(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  std::string value;
  const auto read = [&](hid_t memory, void* out) { return H5Aread(attribute.get(), memory, out); };
  if (!read_text(type.get(), space.get(), read, value)) {
    fail(object, "attribute '" + name + "' is not a readable string");
  }
  return value;
}

std::vector<std::int64_t> Hdf5File::ints_attribute(const std::string& object,
                                                   const std::string& name) const {
  if (!has_attribute(object, name)) fail(object, "has no attribute '" + name + "'");
  std::vector<std::int64_t> values;
  if (!numbers_of(open_object(id_, object).get(), name, H5T_NATIVE_INT64, values)) {
    fail(object, "attribute '" + name + "' is not a list of whole numbers");
  }
  return values;
}

std::int64_t Hdf5File::int_attribute(const std::string& object, const std::string& name) const {
  const std::vector<std::int64_t> values = ints_attribute(object, name);
  if (values.size() != 1) fail(object, "attribute '" + name + "' is not one number");
  return values[0];
}

double Hdf5File::double_attribute(const std::string& object, const std::string& name) const {
  if (!has_attribute(object, name)) fail(object, "has no attribute '" + name + "'");
  std::vector<double> values;
  if (!numbers_of(open_object(id_, object).get(), name, H5T_NATIVE_DOUBLE, values) ||
      values.size() != 1) {
    fail(object, "attribute '" + name + "' is not one number");
  }
  return values[0];
}

void Hdf5File::set_attribute(const std::string& object, const std::string& name,
                             std::string_view value) {
  // A compact attribute holds at most 64 KiB; longer text belongs into a data set.
  MARQUEE_CHECK(value.size() < 60000,
                "attribute '" + name + "' is too long for HDF5; use write_string");
  const Hdf5Handle type = text_type(value.size());
  const std::string bytes = value.empty() ? std::string(1, '\0') : std::string(value);
  if (!put_attribute(id_, object, name, type.get(), bytes.data())) {
    fail(object, "attribute '" + name + "' cannot be written");
  }
}
void Hdf5File::set_attribute(const std::string& object, const std::string& name,
                             const char* value) {
  set_attribute(object, name, std::string_view(value));
}
void Hdf5File::set_attribute(const std::string& object, const std::string& name,
                             std::int64_t value) {
  if (!put_attribute(id_, object, name, H5T_NATIVE_INT64, &value)) {
    fail(object, "attribute '" + name + "' cannot be written");
  }
}
void Hdf5File::set_attribute(const std::string& object, const std::string& name, double value) {
  if (!put_attribute(id_, object, name, H5T_NATIVE_DOUBLE, &value)) {
    fail(object, "attribute '" + name + "' cannot be written");
  }
}

}  // namespace marquee::workers
