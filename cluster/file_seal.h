// The seal of our HDF5 files: a 512-byte user block in front with the SHA-256 of everything behind
// it, so that a torn or flipped file is found before it is believed. Needs no HDF5 library:
// whoever decides which checkpoint counts can look without one. Thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace marquee::cluster {

inline constexpr std::uint64_t kSealBlockBytes = 512;

// Writes "marquee-hdf5-1 sha256:<64 hex>\n" into the block: the SHA-256 of all bytes after it. The
// file must be closed and have the block reserved. Returns the hash.
std::string seal_file(const std::filesystem::path& path);

// Compares the block with the bytes; throws Error{environment} naming the file when they differ or
// when there is no seal. Returns the hash.
std::string check_seal(const std::filesystem::path& path);

// check_seal without its reasons.
bool has_valid_seal(const std::filesystem::path& path);

}  // namespace marquee::cluster
