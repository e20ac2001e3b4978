#include "cluster/stage_set.h"

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>

#include "cluster/sha256.h"

namespace marquee::cluster {
namespace {

bool stays_below(const std::filesystem::path& name) {
  return name.is_relative() && name.has_filename() &&
         std::none_of(name.begin(), name.end(), [](const auto& part) { return part == ".."; });
}

}  // namespace

SourceFile source_file(const std::filesystem::path& source, std::string name, std::string sha256) {
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0)
    throw_environment(source.string() + ": cannot be read (" + errno_text(errno) + ")");
  if (!S_ISREG(status.st_mode)) throw_environment(source.string() + ": is no file");
  MARQUEE_CHECK(stays_below(name), "a staged name leaves its folder: " + name);
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return {source, std::move(name), static_cast<std::int64_t>(status.st_size),
          status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec, std::move(sha256)};
}

std::int64_t StageSet::bytes() const {
  std::int64_t sum = 0;
  for (const SourceFile& file : files) sum += file.bytes;
  return sum;
}

std::string StageSet::key() const {
  Sha256 hash;
  hash.update("stage 1\n" + identity + "\n");
  for (const SourceFile& file : files) {
    // Names may hold anything, also line breaks.
    hash.update(std::to_string(file.name.size()) + " " + file.name + "\n" +
                std::to_string(file.bytes) + "\n");
    hash.update(file.sha256.empty()
                    ? std::filesystem::absolute(file.source).lexically_normal().string() + "\n" +
                          std::to_string(file.modified_ns) + "\n"
                    : file.sha256 + "\n");
  }
  return hash.hex();
}

}  // namespace marquee::cluster
