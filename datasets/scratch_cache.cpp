#include "datasets/scratch_cache.h"

#include <cstdlib>
#include <string>
#include <system_error>

namespace marquee::datasets {

namespace fs = std::filesystem;

ScratchCache::ScratchCache() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  std::string name = (parent / "marquee-index-XXXXXX").string();
  if (!error && ::mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchCache::~ScratchCache() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace marquee::datasets
