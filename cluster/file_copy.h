// One file of a set: its copy, made and looked at (local_stage.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "cluster/descriptor.h"
#include "cluster/stage_set.h"

namespace marquee::cluster {

// A file block by block. Throws environment naming it. Not thread safe.
class BlockReader {
 public:
  // `bytes`: about the size of the file.
  BlockReader(const std::filesystem::path& file, std::int64_t bytes);
  int number() const { return in_.number(); }
  // Empty at the end.
  std::string_view next();

 private:
  Descriptor in_;
  std::vector<char> block_;
};

// A file of this size and time.
bool looks_like(const std::filesystem::path& copy, const SourceFile& file);

// Makes `copy`, which must not be there, with the time of its source: caches know files by it.
// `took` hears of every block. Throws environment naming the source when it cannot be read, is not
// what `file` says, or is another when all is read; StageRefused when the copy cannot be written.
void copy_file(const SourceFile& file, const std::filesystem::path& copy,
               const std::function<void(std::int64_t bytes)>& took);

}  // namespace marquee::cluster
