#include "workers/hdf5_handle.h"

#include <algorithm>

namespace marquee::workers {

Hdf5Handle open_object(hid_t file, const std::string& name) {
  return {H5Oopen(file, name.empty() ? "/" : name.c_str(), H5P_DEFAULT), H5Oclose};
}

Hdf5Handle text_type(std::size_t size) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), std::max<std::size_t>(size, 1));
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  return type;
}

}  // namespace marquee::workers
