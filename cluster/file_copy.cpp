#include "cluster/file_copy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/sha256.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargestBlock = std::int64_t{4} << 20;
constexpr std::int64_t kNanoseconds = 1'000'000'000;

bool fits(const struct stat& status, const SourceFile& file) {
  return S_ISREG(status.st_mode) && status.st_size == file.bytes &&
         status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec == file.modified_ns;
}

void check_unchanged(int source, const SourceFile& file) {
  struct stat status {};
  if (::fstat(source, &status) == 0 && fits(status, file)) return;
  throw_environment(file.source.string() +
                    ": has changed while it was staged; start the run again");
}

}  // namespace

BlockReader::BlockReader(const fs::path& file, std::int64_t bytes)
    : in_(file, O_RDONLY),
      block_(static_cast<std::size_t>(std::clamp(bytes + 1, std::int64_t{4096}, kLargestBlock))) {}

std::string_view BlockReader::next() {
  for (;;) {
    const ssize_t got = ::read(in_.number(), block_.data(), block_.size());
    if (got >= 0) return {block_.data(), static_cast<std::size_t>(got)};
    if (errno != EINTR) in_.fail("cannot be read");
  }
}

bool looks_like(const fs::path& copy, const SourceFile& file) {
  struct stat status {};
  return ::lstat(copy.c_str(), &status) == 0 && fits(status, file);
}

void copy_file(const SourceFile& file, const fs::path& copy,
               const std::function<void(std::int64_t)>& took) {
  BlockReader in(file.source, file.bytes);
  check_unchanged(in.number(), file);
  std::optional<Descriptor> out;
  at_place([&] { out.emplace(copy, O_WRONLY | O_CREAT | O_EXCL); });
  Sha256 hash;
  for (std::string_view block = in.next(); !block.empty(); block = in.next()) {
    if (!file.sha256.empty()) hash.update(block);
    at_place([&] { out->write(block); });
    took(static_cast<std::int64_t>(block.size()));
  }
  check_unchanged(in.number(), file);
  if (!file.sha256.empty() && hash.hex() != file.sha256) {
    throw_environment(file.source.string() +
                      ": SHA-256 differs from what is known of it (damaged; restore the file)");
  }
  const timespec time{file.modified_ns / kNanoseconds, file.modified_ns % kNanoseconds};
  const std::array<timespec, 2> times{timespec{0, UTIME_NOW}, time};
  at_place([&] {
    if (::futimens(out->number(), times.data()) != 0) out->fail("its time cannot be set");
  });
}

}  // namespace marquee::cluster
