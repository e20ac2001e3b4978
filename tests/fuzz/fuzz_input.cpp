#include "tests/fuzz/fuzz_input.h"

#include <cstdlib>
#include <fstream>

#include <unistd.h>

namespace marquee::fuzz {
namespace {

// Removed when the fuzzer ends by itself; a crash leaves it for the autopsy.
struct Folder {
  Folder() {
    std::string pattern = std::filesystem::exists("/dev/shm") ? "/dev/shm/marquee-fuzz-XXXXXX"
                                                              : "/tmp/marquee-fuzz-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

}  // namespace

std::filesystem::path file_with(std::string_view name, const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::filesystem::path file = folder.path / name;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return file;
}

}  // namespace marquee::fuzz
