#include "cluster/file_seal.h"

#include <fstream>
#include <vector>

#include "cluster/error.h"
#include "cluster/sha256.h"

namespace marquee::cluster {
namespace {

constexpr std::string_view kMagic = "marquee-hdf5-1 sha256:";
constexpr std::size_t kHashDigits = 64, kReadBytes = std::size_t{1} << 20;

std::string hash_behind_block(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(kSealBlockBytes));
  if (!file) throw_environment(path.string() + ": cannot be read behind its user block");
  Sha256 hash;
  std::vector<char> buffer(kReadBytes);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         file.gcount() > 0) {
    hash.update(std::string_view(buffer.data(), static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) throw_environment(path.string() + ": read error");
  return hash.hex();
}

}  // namespace

std::string seal_file(const std::filesystem::path& path) {
  const std::string hash = hash_behind_block(path);
  std::string block(kMagic);
  block += hash + "\n";
  block.resize(kSealBlockBytes, '\0');
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.write(block.data(), static_cast<std::streamsize>(block.size()));
  file.close();
  if (!file) throw_environment(path.string() + ": the seal cannot be written (disk full?)");
  return hash;
}

std::string check_seal(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_environment(path.string() + ": no such file");
  std::string block(kMagic.size() + kHashDigits, '\0');
  file.read(block.data(), static_cast<std::streamsize>(block.size()));
  if (!file || !block.starts_with(kMagic)) {
    throw_environment(path.string() +
                      ": no seal in its user block (not a file of marquee, or cut off)");
  }
  const std::string hash = hash_behind_block(path);
  if (block.substr(kMagic.size()) != hash) {
    throw_environment(path.string() +
                      ": its bytes do not match the SHA-256 in its user block (damaged)");
  }
  return hash;
}

bool has_valid_seal(const std::filesystem::path& path) {
  try {
    check_seal(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace marquee::cluster
