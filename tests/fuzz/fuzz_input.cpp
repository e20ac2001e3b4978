#include "tests/fuzz/fuzz_input.h"

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

#include <unistd.h>

namespace marquee::fuzz {
namespace {

// libFuzzer looks at this section as it does at counters of branches.
__attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t outcomes[256];

// Removed when the fuzzer ends by itself; a crash leaves it for the autopsy.
struct Folder {
  Folder() {
    // In memory where that is possible.
    const std::filesystem::path parent = std::filesystem::exists("/dev/shm")
                                             ? std::filesystem::path("/dev/shm")
                                             : std::filesystem::temp_directory_path();
    std::string pattern = parent / "marquee-fuzz-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

}  // namespace

void count_outcome(std::string_view outcome) {
  std::uint8_t& counter = outcomes[std::hash<std::string_view>()(outcome) % std::size(outcomes)];
  if (counter < 255) ++counter;
}

void count_error(std::string_view message) {
  std::string words;
  bool quoted = false;
  for (const char letter : message) {
    if (letter == '\'') quoted = !quoted;
    if (!quoted && std::isalpha(static_cast<unsigned char>(letter)) != 0) words += letter;
  }
  count_outcome(words);
}

std::filesystem::path file_with(std::string_view name, std::string_view bytes) {
  static const Folder folder;
  const std::filesystem::path file = folder.path / name;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file;
}

}  // namespace marquee::fuzz
