// One array of an .npz archive as memory that is mapped, not held: archives of images are larger
// than machines.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cluster/mapped_file.h"
#include "workers/weight_files/npz_file.h"

namespace marquee::workers {

// Headers of the members, by the names of their arrays; nothing else is read. Throws environment
// naming file and member.
std::map<std::string, NpyHeader> npz_headers(const std::filesystem::path& path);

struct MappedNpy {
  NpyHeader header;
  std::shared_ptr<const cluster::MappedFile> file;
  std::string_view numbers;  // header.size bytes of `file`, as they are stored
};

// Array `name`, which npz_headers() gave and which is of numbers. An uncompressed one is mapped
// where it lies. A compressed one is unpacked into a file of folder `scratch`, which has no name
// any more when this returns and goes with the mapping. Either way all of it is read once, its
// checksum is verified and little memory is used. Throws environment naming the file, and the
// member where it is damaged, has not the bytes of its shape, unpacks to more than 1 GiB and 100
// times the archive, or does not fit into `scratch`.
MappedNpy map_npz_array(const std::filesystem::path& path, const std::string& name,
                        const std::filesystem::path& scratch);

}  // namespace marquee::workers
